"""Converts a trained generator to a SavedModel, an ONNX file or a TensorFlow Lite file.

The result is compared with the checkpoint; a model card and the options are written next to it.
"""

import os
from typing import Optional

from absl import flags

from pix2pix_tf.cli import common
from pix2pix_tf.system.console import print_line

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
flags.DEFINE_boolean(
    'masks',
    False,
    'Makes the noise an input of an ONNX file, which otherwise has no noise.',
    flag_values=FLAGS,
)


def main() -> None:
    convert, trained = common.load('convert.convert'), common.load('inference.trained')
    source = trained.find(FLAGS.model)
    to = FLAGS.to or os.path.join(common.folder_of(FLAGS.model), FLAGS.format)
    drawing = None
    if FLAGS.format == 'onnx':
        drawing = common.load('serve.canvas').prepare(source).embedded()
    done = convert.convert(source, FLAGS.format, to, FLAGS.weights, FLAGS.masks, drawing)
    checked = _describe(done.difference)
    print_line(f'wrote {done.path} ({checked}), with README.md and options.json')


def _describe(difference: Optional[float]) -> str:
    """The largest difference of a result from the checkpoint, whose outputs are in [-1, 1]."""
    if difference is None:
        return 'not run: onnxruntime is not installed'
    if difference == 0:
        return 'with the same outputs as the checkpoint'
    return f'differs from the checkpoint by at most {difference:.1e} of 2'
