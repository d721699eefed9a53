"""The table of options: every number of the post and of ours, each defined once."""

import dataclasses
import math
import random
import typing

from pix2pix_tf import sizes
from pix2pix_tf.system import cpus
from pix2pix_tf.system.errors import UsageError

# The generator halves its input 8 times and doubles it again (the post's "Generator").
GENERATOR_STRIDE = 2**8

MAX_READER_THREADS = 8  # they read hundreds of images per second, a step takes a few


class Range(typing.NamedTuple):
    """The values that an option accepts; they must be finite, too."""

    words: str  # completes "it must be ..."
    contains: typing.Callable[[typing.Any], bool]


AT_LEAST_1 = Range('at least 1', lambda value: value >= 1)
NOT_NEGATIVE = Range('0 or more', lambda value: value >= 0)
POSITIVE = Range('above 0', lambda value: value > 0)
BELOW_1 = Range('at least 0 and below 1', lambda value: 0 <= value < 1)
SEED = Range('0 or more and below 2**31', lambda value: 0 <= value < 2**31)
SWITCH = Range('true or false', lambda value: True)
DIRECTION = Range('BtoA or AtoB', lambda value: value in ('BtoA', 'AtoB'))
GENERATOR_SIZE = Range(
    f'a multiple of {GENERATOR_STRIDE}, because the generator halves its input 8 times',
    lambda value: value > 0 and value % GENERATOR_STRIDE == 0,
)

# {annotation: (type, whether None is a value)}
_KINDS: typing.Dict[typing.Any, typing.Tuple[typing.Any, bool]] = {
    sizes.Size: (sizes.Size, False),
    int: (int, False),
    float: (float, False),
    bool: (bool, False),
    str: (str, False),
    typing.Optional[int]: (int, True),
}


def _option(default, valid, meaning, changeable=False):
    """A row of the table. `changeable`: a resumed run may change it without `override`."""
    metadata = {'valid': valid, 'meaning': meaning, 'changeable': changeable}
    return dataclasses.field(default=default, metadata=metadata)


def _changeable(default, valid, meaning):
    return _option(default, valid, meaning, changeable=True)


@dataclasses.dataclass(frozen=True)
class Config:
    """The options of a model and its training: name, type, default, range and meaning.

    The defaults are the post's. `create` checks the values; the bare constructor does not.
    """

    # Load Data
    scale_size: sizes.Size = _option(
        286,
        AT_LEAST_1,
        'Pixels to which each half is scaled before the crop: a side, or width x height (572x286).',
    )
    crop_size: sizes.Size = _option(
        256,
        GENERATOR_SIZE,
        'Pixels of the images in the networks, in training a random crop: a side, or width x '
        'height (512x256).',
    )
    direction: str = _option(
        'BtoA',
        DIRECTION,
        'BtoA: from the right half (B), learns the left half (A); AtoB: the reverse.',
    )
    batch_size: int = _option(1, AT_LEAST_1, 'Pairs per step.')
    num_threads: typing.Optional[int] = _changeable(
        None,
        AT_LEAST_1,
        'Threads that read images. By default one per core but at most 8, or one with a `seed`.',
    )
    # Generator and discriminator
    ngf: int = _option(64, AT_LEAST_1, 'Filters in the first layer of the generator.')
    ndf: int = _option(64, AT_LEAST_1, 'Filters in the first layer of the discriminator.')
    init_stddev: float = _option(
        0.02, NOT_NEGATIVE, 'Standard deviation of the initial filters and batchnorm scales.'
    )
    leak: float = _option(0.2, NOT_NEGATIVE, 'Slope of the leaky ReLU below 0.')
    dropout: float = _option(0.5, BELOW_1, 'Probability that decoders 8 to 6 drop a value.')
    variance_epsilon: float = _option(1e-5, POSITIVE, 'Added to the variance in batchnorm.')
    # Loss & Optimizer
    log_epsilon: float = _option(
        1e-12, POSITIVE, 'Added to the argument of each logarithm in the losses.'
    )
    gan_weight: float = _option(
        1.0, NOT_NEGATIVE, 'Weight of the GAN loss in the loss of the generator.'
    )
    l1_weight: float = _option(
        100.0, NOT_NEGATIVE, 'Weight of the L1 loss in the loss of the generator.'
    )
    learning_rate: float = _option(0.0002, POSITIVE, 'Learning rate of both Adam optimizers.')
    beta1: float = _option(0.5, BELOW_1, 'First-moment decay of both Adam optimizers.')
    ema_decay: float = _option(0.99, BELOW_1, 'Decay of the moving averages of the losses.')
    # Train
    max_epochs: int = _changeable(200, AT_LEAST_1, 'Passes over the whole dataset.')
    max_steps: typing.Optional[int] = _changeable(
        None, AT_LEAST_1, 'Total number of steps; replaces `max_epochs`.'
    )
    progress_freq: int = _changeable(
        50, NOT_NEGATIVE, 'Steps between two progress reports; 0: none.'
    )
    save_freq: int = _changeable(
        5000, NOT_NEGATIVE, 'Steps between two checkpoints; 0: only at the end.'
    )
    save_secs: int = _changeable(
        0, NOT_NEGATIVE, 'Seconds between two checkpoints, in addition to `save_freq`; 0: never.'
    )
    keep: int = _changeable(1, AT_LEAST_1, 'Number of newest checkpoints to keep.')
    seed: typing.Optional[int] = _changeable(
        None, SEED, 'Makes a run repeatable on a CPU. By default every run differs.'
    )
    # Monitoring
    summary_freq: int = _changeable(
        50, NOT_NEGATIVE, 'Steps between two rows of losses.csv and of TensorBoard; 0: none.'
    )
    display_freq: int = _changeable(
        1000,
        NOT_NEGATIVE,
        'Steps between two sets of images in TensorBoard and development.html; 0: none.',
    )
    histogram_freq: int = _changeable(
        0, NOT_NEGATIVE, 'Steps between two sets of histograms of weights and gradients; 0: none.'
    )
    trace_freq: int = _changeable(
        0, NOT_NEGATIVE, 'Steps between two profiles of the time that each op takes; 0: none.'
    )
    eval_freq: int = _changeable(
        1000, NOT_NEGATIVE, 'Steps between two evaluations of validation images; 0: none.'
    )
    eval_images: int = _changeable(20, AT_LEAST_1, 'Number of validation images to evaluate.')
    # GPU
    xla: bool = _changeable(False, SWITCH, 'Compiles the graph with XLA, on a GPU.')
    mixed_precision: bool = _option(
        False, SWITCH, 'Lets a GPU use float16, or a CPU bfloat16, where it is safe.'
    )
    memory_growth: bool = _changeable(
        False, SWITCH, 'Allocates GPU memory when it is needed instead of all at once.'
    )
    deterministic_ops: bool = _changeable(
        False, SWITCH, 'Makes a run repeatable on a GPU, too; needs a `seed`.'
    )


class Option(typing.NamedTuple):
    """A row of the table, as flags, checks and docs/reference.md read it."""

    name: str
    default: typing.Any
    kind: typing.Any  # int, float, bool, str or sizes.Size
    optional: bool  # whether None is a value
    valid: Range
    meaning: str
    changeable: bool


OPTIONS = tuple(
    Option(f.name, f.default, *_KINDS[f.type], **f.metadata) for f in dataclasses.fields(Config)
)


def check(name: str, value: object) -> None:
    """Checks the value of one option.

    Raises:
        UsageError: its type is wrong or it is out of range; the message names the option.
    """
    [option] = [option for option in OPTIONS if option.name == name]
    if value is None and option.optional:
        return
    if option.kind is sizes.Size:
        try:
            sides = sizes.height_and_width(value)
        except ValueError as error:
            raise UsageError(f'`{name}` is {value!r}: it must be {error}') from error
        if not all(map(option.valid.contains, sides)):
            each = 'it' if sides[0] == sides[1] else 'each side'
            raise UsageError(f'`{name}` is {value}: {each} must be {option.valid.words}')
        return
    fits = type(value) is option.kind or (option.kind is float and type(value) is int)
    if not fits:
        names = {int: 'a whole number', float: 'a number', bool: 'true or false', str: 'a word'}
        raise UsageError(f'`{name}` is {value!r}: it must be {names[option.kind]}')
    finite = not isinstance(value, float) or math.isfinite(value)
    if not (finite and option.valid.contains(value)):
        raise UsageError(f'`{name}` is {value}: it must be {option.valid.words}')


def create(**values: typing.Any) -> Config:
    """A Config with `values` instead of the defaults.

    Raises:
        UsageError: a value cannot be used; the message names its option.
    """
    config = Config(**values)
    for name, value in dataclasses.asdict(config).items():
        check(name, value)
    config = dataclasses.replace(
        config,
        scale_size=sizes.shortest(config.scale_size),
        crop_size=sizes.shortest(config.crop_size),
    )
    scaled, cropped = (
        sizes.height_and_width(config.scale_size),
        sizes.height_and_width(config.crop_size),
    )
    if scaled[0] < cropped[0] or scaled[1] < cropped[1]:
        raise UsageError(
            f'`scale_size` is {config.scale_size}, below `crop_size` {config.crop_size}: '
            'a crop cannot be larger than the image'
        )
    if config.seed is not None and reader_threads(config) > 1:
        raise UsageError('`seed` needs `num_threads`=1: several threads finish in no fixed order')
    if config.deterministic_ops and config.seed is None:
        raise UsageError('`deterministic_ops` needs a `seed`: without one every run differs')
    return config


def random_seed() -> int:
    """A `seed` that nobody chose."""
    return random.SystemRandom().randrange(2**31)


def reader_threads(config: Config) -> int:
    """The number of threads that read images; see `num_threads`."""
    if config.num_threads is None:
        return 1 if config.seed is not None else min(MAX_READER_THREADS, cpus.available())
    return config.num_threads
