"""What the commands export and evaluate share."""

import math
import os
from typing import Sequence, Tuple

from absl import flags

from pix2pix_tf import options_file
from pix2pix_tf.cli import common
from pix2pix_tf.inference import trained
from pix2pix_tf.system import shard
from pix2pix_tf.system.errors import UsageError

_CHANGEABLE = (
    'direction',
    'crop_size',
    'ngf',
    'seed',
    'xla',
    'mixed_precision',
    'memory_growth',
    'deterministic_ops',
)

_DATA = 'data/pix2pix/facades/val'
_FLAGS = (
    (
        flags.DEFINE_string,
        'data',
        None,
        'Folder of the validation pairs; by default val/ beside the training pairs that `out` '
        f'records, or else {_DATA}.',
    ),
    (
        flags.DEFINE_string,
        'out',
        'out/facades',
        'Folder of the checkpoint; the results are written there.',
    ),
    (
        flags.DEFINE_string,
        'checkpoint',
        None,
        'Checkpoint to use instead of the newest one in `out`: its path, or a folder.',
    ),
    (flags.DEFINE_boolean, 'skip_bad_files', False, 'Leaves out files that are not pairs.'),
    (
        flags.DEFINE_integer,
        'batch_size',
        None,
        'Pairs per run of the generator, at least 1, by default 8. With a `seed` it changes no '
        'result.',
    ),
    (
        flags.DEFINE_integer,
        'samples',
        1,
        'Outputs per input; above 1, their diversity is measured.',
    ),
    (
        flags.DEFINE_string,
        'lpips',
        None,
        'Also measures LPIPS, with the weights in this file. pix2pix-data writes it.',
    ),
    (
        flags.DEFINE_string,
        'labels',
        None,
        'Also measures the label accuracy of label maps. auto: their colors are looked for in the '
        'targets; or a file with a line for each, such as #0000de background.',
    ),
    (
        flags.DEFINE_string,
        'features',
        None,
        'Frozen graph or SavedModel of a feature network; FID and KID use its features.',
    ),
    (
        flags.DEFINE_string,
        'features_input',
        None,
        'The tensor for the images, if the network has several inputs.',
    ),
    (
        flags.DEFINE_string,
        'features_output',
        None,
        'The tensor of the features, if the network has several outputs.',
    ),
    (
        flags.DEFINE_list,
        'features_range',
        '0,255',
        'The values of black and white that the network expects.',
    ),
    (
        flags.DEFINE_string,
        'shard',
        None,
        'Takes only a part of the images: 2/3 is the second of three. pix2pix-evaluate joins them.',
    ),
)


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of a command that runs the generator on validation pairs."""
    for define, name, default, meaning in _FLAGS:
        define(name, default, meaning, flag_values=flag_values)
    common.define_dropout_at_test(flag_values)
    common.define_changes(flag_values, _CHANGEABLE)


def call(function: str, flag_values: flags.FlagValues) -> None:
    """Calls the function `export` or `evaluate` with the arguments in the flags.

    Raises:
        UsageError: a value is invalid; the message names its option.
    """
    given = common.given_changes(flag_values)
    if flag_values.samples < 1:
        raise UsageError(f'`samples` is {flag_values.samples}: it must be at least 1')
    low, high = _parse_range(flag_values.features_range)
    for name in ('features_input', 'features_output', 'features_range'):
        if flag_values[name].present and not flag_values.features:
            raise UsageError(f'`{name}` requires `features`: name a network')

    model = flag_values.checkpoint or trained.as_path(flag_values.out)
    parsed = shard.parse(flag_values.shard)
    exporting = common.load('exporting')
    network = None
    if flag_values.features:
        network = common.load('evaluation.features').FeatureNetwork(
            flag_values.features, flag_values.features_input, flag_values.features_output, low, high
        )
    optional = common.load('evaluation.image_metrics').OptionalMetrics(flag_values.lpips)
    getattr(exporting, function)(
        flag_values.data or _validation_pairs(model),
        flag_values.out,
        trained.find(model, **given).config,
        flag_values.checkpoint,
        flag_values.skip_bad_files,
        exporting.Measures(flag_values.samples, network, parsed, optional, flag_values.labels),
    )


def _validation_pairs(model: str) -> str:
    """The folder val/ beside the training pairs of `model`, if options.json records those."""
    recorded = options_file.load_data(common.folder_of(model))
    return os.path.join(os.path.dirname(recorded.folder), 'val') if recorded else _DATA


def _parse_range(words: Sequence[str]) -> Tuple[float, float]:
    try:
        low, high = map(float, words)
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError('not finite')
    except ValueError as error:
        raise UsageError(
            f'`features_range` is {",".join(words)}: it must be two numbers, such as -1,1'
        ) from error
    return low, high
