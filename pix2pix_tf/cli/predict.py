"""Runs a trained generator on single images: files, or folders of them.

Each result is --to/NAME.png. --to/index.html shows inputs and outputs side by side.
"""

import os
import typing

from absl import flags

from pix2pix_tf import config
from pix2pix_tf.cli import common
from pix2pix_tf.pairs import find, halves, inputs, palette, record
from pix2pix_tf.system import shard
from pix2pix_tf.system.console import count, print_line
from pix2pix_tf.system.errors import DataError, Pix2PixError, UsageError

ARGUMENTS = 'FILE_OR_FOLDER'

FLAGS = flags.FlagValues()
flags.DEFINE_string('model', 'out/facades', common.MODEL, flag_values=FLAGS)
flags.DEFINE_string(
    'to',
    None,
    'Folder for the results; by default predictions/ in that of `model`.',
    flag_values=FLAGS,
)
flags.DEFINE_string(
    'name', '{name}', 'Name of a result; {name} is that of its input.', flag_values=FLAGS
)
flags.DEFINE_enum(
    'fit',
    'scale',
    ['scale', 'whole'],
    'scale: scaled to the size of the training; whole: at its own resolution.',
    flag_values=FLAGS,
)
flags.DEFINE_boolean(
    'keep_size', False, 'Scales a result back to the size of its input.', flag_values=FLAGS
)
flags.DEFINE_integer(
    'tile',
    None,
    'Side in pixels beyond which `fit`=whole works in tiles; the default depends on free memory.',
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    'input',
    'file',
    ['file', 'auto'],
    'auto: computes the input of each photo as `make pairs` did for the training.',
    flag_values=FLAGS,
)
flags.DEFINE_integer('samples', 1, 'Outputs per input.', flag_values=FLAGS)
flags.DEFINE_string(
    'shard',
    None,
    'Takes only a part of the images: 2/3 is the second of three. No page is written.',
    flag_values=FLAGS,
)
common.define_dropout_at_test(FLAGS)
common.define_changes(FLAGS, ('crop_size', 'seed', 'xla', 'mixed_precision', 'memory_growth'))


def main(paths: typing.Sequence[str]) -> None:
    changes = common.given_changes(FLAGS)
    if FLAGS.samples < 1:
        raise UsageError(f'`samples` is {FLAGS.samples}: it must be at least 1')
    if FLAGS.tile is not None and not config.GENERATOR_SIZE.contains(FLAGS.tile):
        raise UsageError(f'`tile` is {FLAGS.tile}: it must be {config.GENERATOR_SIZE.words}')
    if FLAGS.tile is not None and FLAGS.fit != 'whole':
        raise UsageError('`tile` requires `fit`=whole')
    if FLAGS.fit == 'whole' and FLAGS.keep_size:
        raise UsageError('`keep_size` requires `fit`=scale: whole images keep their size')
    if FLAGS.fit == 'whole' and 'crop_size' in changes:
        raise UsageError('`crop_size` requires `fit`=scale: whole images keep their size')
    part = shard.parse(FLAGS.shard)
    if not paths:
        raise UsageError('no image is given: add files or folders')

    to = FLAGS.to or os.path.join(common.folder_of(FLAGS.model), 'predictions')
    images, others = find.walk_images(paths, leave_out=to)
    for line in find.left_out(others):
        print_line(line)
    if not images:
        raise Pix2PixError(f'no image in {", ".join(paths)}')

    generator = common.load('inference.generator', FLAGS.model)
    files = common.load('inference.files', FLAGS.model)
    if any(os.path.realpath(path) == os.path.realpath(to) for path in paths):
        earlier = files.earlier_results(images, to)
        images = [one for one in images if one[0] not in earlier]
        if not images:
            raise Pix2PixError(f'all images in {to} are results of an earlier run')
    planned = files.plan(images, to, FLAGS.name, FLAGS.samples)
    results = dict(part.take(list(planned.items())))
    settings = files.PredictionSettings(
        FLAGS.samples, FLAGS.fit, FLAGS.tile, FLAGS.keep_size, part.total == 1, _input_of()
    )
    with generator.load(FLAGS.model, **changes) as loaded:
        done = files.predict_files(loaded, results, to, settings)
    if done.doubts:
        rest = f' ({len(done.doubts) - 1} more like it)' if len(done.doubts) > 1 else ''
        print_line(f'{done.doubts[0]}{rest}')
    opened = f'; open {done.page}' if done.page else ''
    print_line(f'wrote {count(done.written, "image")} to {to}{opened}')
    if done.failures:
        of_all = f'{len(done.failures)} of {count(len(results), "image")}'
        raise Pix2PixError(f'{of_all} failed, as named above')


_KINDS = {'labels': 'label maps', 'lines': 'line drawings', 'photos': 'photos'}


def _input_of():
    """A function from an image to the input of the model in it, and what to say about it.

    None if the pairs of the training are gone. Prints what the model was trained on.

    Raises:
        UsageError: the pairs of the training were not made from photos.
    """
    canvas = common.load('serve.canvas', FLAGS.model)
    model = common.load('inference.trained', FLAGS.model).find(FLAGS.model)
    is_plain = model.config.is_rgb_pair
    folder = canvas.folder_of_training(model, lambda line: None) if is_plain else None
    recipe = record.recipe_of(folder) if folder else {}
    is_computed = (
        recipe.get('command') == 'make'
        and inputs.current_name(str(recipe.get('input'))) in inputs.KINDS
    )
    if FLAGS.input == 'auto':
        if not is_computed:
            raise UsageError(
                f'`input`=auto requires a model of pairs that `make pairs` has made from photos, '
                f'and that are still there: {FLAGS.model} is not one'
            )
        return lambda image: (halves.computed_input(image, recipe), None)
    if not (folder or model.is_onnx):
        return None
    try:
        drawn = canvas.prepare(model, folder, most_examples=0)
    except DataError:  # none of its pairs can be read any more
        return None
    kind = _KINDS.get(drawn.palette.kind)
    if kind:
        print_line(f'{FLAGS.model} was trained on {kind}')
    advice = ': compute it with `input`=auto' if is_computed else ''

    def input_of(image):
        half, is_pair = drawn.input_of(image)
        if is_pair:
            return half, f'is a pair: its {drawn.input_half} half is the input'
        if not palette.fits(image, drawn.palette):
            return image, f'does not look like the {kind} that the model was trained on{advice}'
        return image, None

    return input_of
