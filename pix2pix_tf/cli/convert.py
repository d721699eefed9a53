"""Converts a trained generator to a SavedModel, an ONNX file or a TensorFlow Lite file.

The result is compared with the checkpoint; a model card and the options are written next to it.
"""

import os
from typing import Optional

from absl import flags

from pix2pix_tf.cli import common
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import UsageError

FLAGS = flags.FlagValues()
flags.DEFINE_string('model', 'out/facades', common.MODEL, flag_values=FLAGS)
flags.DEFINE_enum(
    'format', 'saved_model', ['saved_model', 'onnx', 'tflite'], 'What to write.', flag_values=FLAGS
)
flags.DEFINE_string(
    'to',
    None,
    'Folder for the result; by default FORMAT/ in the folder of `model`.',
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    'weights',
    'float32',
    ['float32', 'float16', 'int8'],
    'Type of the filters in ONNX and TFLite files.',
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    'dropout_at_test',
    None,
    ['on', 'off'],
    'on: the result has the noise of dropout, and in ONNX the inputs mask_8, mask_7 and mask_6 for '
    'it; off: it has none. By default on in a SavedModel, and off in ONNX and TFLite.',
    flag_values=FLAGS,
)


def main() -> None:
    format, dropout = FLAGS.format, FLAGS.dropout_at_test
    if format == 'tflite' and dropout == 'on':
        raise UsageError(
            '`dropout_at_test`=on requires a SavedModel or ONNX: TFLite files have no noise'
        )
    convert, trained = common.load('convert.convert'), common.load('inference.trained')
    changes = {'dropout': 0.0} if format == 'saved_model' and dropout == 'off' else {}
    source = trained.find(FLAGS.model, **changes)
    if dropout == 'on' and not source.config.dropout:
        raise UsageError(
            f'`dropout_at_test`=on requires a model with dropout: {FLAGS.model} has none'
        )
    to = FLAGS.to or os.path.join(common.folder_of(FLAGS.model), format)
    masks = format == 'onnx' and dropout == 'on'
    drawing = None
    if format == 'onnx':
        drawing = common.load('serve.canvas').prepare(source).embedded()
    done = convert.convert(source, format, to, FLAGS.weights, masks, drawing)
    checked = _describe(done.difference)
    print_line(f'wrote {done.path} ({checked}), with README.md and options.json')


def _describe(difference: Optional[float]) -> str:
    """The largest difference of a result from the checkpoint, whose outputs are in [-1, 1]."""
    if difference is None:
        return 'not run: onnxruntime is not installed'
    if difference == 0:
        return 'with the same outputs as the checkpoint'
    return f'differs from the checkpoint by at most {difference:.1e} of 2'
