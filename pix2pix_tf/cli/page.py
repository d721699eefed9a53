"""Writes the drawing page with its model to a folder that any static host can serve.

The model runs in the visitor's browser with onnxruntime-web, which npm downloads. Drawings do not
leave the browser.
"""

import os

from absl import flags

from pix2pix_tf.cli import common
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import UsageError

FLAGS = flags.FlagValues()
flags.DEFINE_string('model', 'out/facades', common.MODEL, flag_values=FLAGS)
flags.DEFINE_string(
    'to', None, 'Folder for the page; by default page/ in the folder of `model`.', flag_values=FLAGS
)
flags.DEFINE_string(
    'name',
    None,
    'Name of the model on the page; by default the name of its folder.',
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    'weights',
    'int8',
    ['int8', 'float16', 'float32'],
    'Type of the filters: 1, 2 or 4 bytes to download for each. An ONNX file is only copied.',
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    'backend',
    'auto',
    ['auto', 'wasm'],
    'What runs the model; auto: WebGPU where the browser has it, else WebAssembly. wasm leaves out '
    'the files of WebGPU, the largest of which has 27 MB.',
    flag_values=FLAGS,
)
flags.DEFINE_string(
    'data',
    None,
    "Folder of training images, for the palette; by default the training's own.",
    flag_values=FLAGS,
)


def main() -> None:
    static_page = common.load('serve.static_page', FLAGS.model)
    source = common.load('inference.trained', FLAGS.model).find(FLAGS.model)
    if not source.is_onnx:
        common.require('onnx', 'onnx')
    elif FLAGS['weights'].present:
        raise UsageError(
            f'`weights` requires a checkpoint: those of {source.checkpoint} stay as they are'
        )
    folder = common.folder_of(FLAGS.model) if source.is_onnx else source.folder
    to = FLAGS.to or os.path.join(folder, 'page')
    name = FLAGS.name or common.model_name(FLAGS.model)
    static_page.write(source, to, name, FLAGS.weights, FLAGS.data, FLAGS.backend)
    print_line(
        f'wrote {to}: try it with `python -m http.server --directory {to}`, or copy it to a '
        'static host'
    )
