"""Every number of the post, once, with its default."""

import json
import math
import os
import typing

from pix2pix_tf.system import files
from pix2pix_tf.system.errors import Pix2PixError, UsageError

# The generator halves its input 8 times and doubles it back (the post's "Generator").
GENERATOR_STRIDE = 2**8

FILENAME = 'options.json'


class Config(typing.NamedTuple):
    """The numbers of a model and of its training; immutable.

    The defaults are the post's (section "Load Data" to "Train"). `create` checks the values;
    the bare constructor does not.
    """

    # Load Data
    scale_size: int = 286  # pixels; each half is resized to this square
    crop_size: int = 256  # pixels; and cropped to this one at a random offset
    batch_size: int = 1
    num_threads: typing.Optional[int] = None  # reader threads; None: see `reader_threads`
    # Generator and discriminator
    ngf: int = 64  # filters of the generator's first layer
    ndf: int = 64  # filters of the discriminator's first layer
    init_stddev: float = 0.02  # of the filters and the batchnorm scales
    leak: float = 0.2  # slope of lrelu below 0
    dropout: float = 0.5  # probability of dropping, decoder 8 to 6
    variance_epsilon: float = 1e-5  # of batchnorm
    # Loss & Optimizer
    log_epsilon: float = 1e-12  # keeps log() off 0
    gan_weight: float = 1.0
    l1_weight: float = 100.0
    learning_rate: float = 0.0002
    beta1: float = 0.5
    ema_decay: float = 0.99  # of the loss averages
    # Train
    max_epochs: int = 200
    max_steps: typing.Optional[int] = None  # in place of max_epochs
    progress_freq: int = 50  # steps; 0 never
    save_freq: int = 5000  # steps; 0 only at the end
    save_secs: int = 0  # seconds between two saves, beside save_freq; 0 never
    keep: int = 1  # newest checkpoints kept
    seed: typing.Optional[int] = None  # None: another one each time
    # Seeing and judging; steps, 0 never
    summary_freq: int = 50  # scalars to TensorBoard and losses.csv
    display_freq: int = 1000  # pictures to TensorBoard and development.html
    histogram_freq: int = 0  # weights and gradients to TensorBoard
    trace_freq: int = 0  # how long every op took
    eval_freq: int = 1000  # figures of validation pictures
    eval_pictures: int = 20  # how many of them
    # Of a GPU
    xla: bool = False  # compiles the graph
    mixed_precision: bool = False  # float16 where that is safe
    memory_growth: bool = False  # memory as it is needed, not all there is
    deterministic_ops: bool = False  # slower ops that always add up in one order


# What a resumed run may change without being asked: it leaves the mathematics as it is.
FREE = ('num_threads', 'max_epochs', 'max_steps', 'progress_freq', 'save_freq', 'save_secs')
FREE += ('keep', 'seed', 'summary_freq', 'display_freq', 'histogram_freq', 'trace_freq')
FREE += ('eval_freq', 'eval_pictures', 'xla', 'memory_growth', 'deterministic_ops')

_AT_LEAST_ONE = ('scale_size', 'crop_size', 'batch_size', 'num_threads', 'ngf', 'ndf')
_AT_LEAST_ONE += ('max_epochs', 'max_steps', 'keep', 'eval_pictures')
_NOT_NEGATIVE = ('init_stddev', 'leak', 'gan_weight', 'l1_weight', 'progress_freq', 'save_freq')
_NOT_NEGATIVE += ('save_secs', 'seed', 'summary_freq', 'display_freq', 'histogram_freq')
_NOT_NEGATIVE += ('trace_freq', 'eval_freq')
_POSITIVE = ('learning_rate', 'variance_epsilon', 'log_epsilon')
_BELOW_ONE = ('dropout', 'beta1', 'ema_decay')


def create(**values):
    """A Config with `values` in place of the defaults.

    Raises:
        UsageError: a value makes no sense; the message names it.
    """
    config = Config(**values)
    for name, value in config._asdict().items():
        if value is None:
            continue
        for names, holds, wanted in (
            (_AT_LEAST_ONE, value >= 1, 'at least 1'),
            (_NOT_NEGATIVE, value >= 0, '0 or more'),
            (_POSITIVE, value > 0, 'above 0'),
            (_BELOW_ONE, 0 <= value < 1, 'at least 0 and below 1'),
        ):
            if name in names and not (holds and math.isfinite(value)):
                raise UsageError(f'--{name} is {value}: it must be {wanted}')
    check_size(config.crop_size)
    if config.scale_size < config.crop_size:
        raise UsageError(
            f'--scale_size is {config.scale_size}, below --crop_size {config.crop_size}: '
            'nothing that large can be cropped from it'
        )
    if config.seed is not None and reader_threads(config) > 1:
        raise UsageError(
            '--seed needs --num_threads=1: several readers finish in no particular order'
        )
    if config.deterministic_ops and config.seed is None:
        raise UsageError('--deterministic_ops needs a --seed: without one every run differs anyway')
    return config


def reader_threads(config):
    """How many threads read: by default one for each core, or one where a seed is to be kept to."""
    if config.num_threads is None:
        return 1 if config.seed is not None else len(os.sched_getaffinity(0))
    return config.num_threads


def check_size(size, name='--crop_size'):
    """Raises UsageError unless the generator can halve `size` (pixels) all the way down."""
    if size % GENERATOR_STRIDE:
        raise UsageError(
            f'{name} is {size}: the generator halves its input 8 times, so that sizes must be '
            f'multiples of {GENERATOR_STRIDE}'
        )


def differences(saved, config):
    """Where a resumed run would not be the run of `saved`: a list of words, one for each field."""
    return [
        f'--{name} was {before}, now {now}'
        for name, before, now in zip(Config._fields, saved, config)
        if before != now and name not in FREE
    ]


def save(config, directory):
    """Writes `config` to options.json in `directory`, whole or not at all."""
    text = json.dumps(config._asdict(), indent=2) + '\n'
    files.write_whole(os.path.join(directory, FILENAME), text.encode())


def load(directory):
    """The Config that options.json in `directory` holds; None where there is no such file.

    Fields that this version does not know, or that the file lacks, take their defaults.

    Raises:
        Pix2PixError: the file is not what `save` writes.
    """
    path = os.path.join(directory, FILENAME)
    try:
        with open(path) as file:
            saved = json.load(file)
        if not isinstance(saved, dict):
            raise ValueError('it holds no options')
        return create(**{name: saved[name] for name in Config._fields if name in saved})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, OSError, UsageError) as error:
        raise Pix2PixError(f'{path} can not be used: {error}') from error
