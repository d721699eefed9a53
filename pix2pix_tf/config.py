"""The table of options: every number of the post and of this package, each defined once."""

import dataclasses
import math
import re
import typing

from pix2pix_tf.system.errors import UsageError

# The generator halves its input 8 times and doubles it again (the post's "Generator").
GENERATOR_STRIDE = 2**8

Size = typing.Tuple[int, int]  # (height, width) of an image in pixels


class Range(typing.NamedTuple):
    """The values that an option accepts, all of them finite."""

    words: str  # completes "it must be ..."
    contains: typing.Callable[[typing.Any], bool]


def _at_least_1(most, words=''):
    return Range(f'at least 1 and at most {words or most}', lambda value: 1 <= value <= most)


# options.json may come from a stranger: no value may be so large that TensorFlow cannot take it.
# The upper bounds are far above what a run can use.
MAX_SIDE = 2**14  # pixels
FILTERS = _at_least_1(2**14)
PAIRS_PER_STEP = _at_least_1(2**16)
THREADS = _at_least_1(2**10)
AT_LEAST_1 = _at_least_1(10**12, '10**12')
COUNT = Range('0 or more and at most 10**12', lambda value: 0 <= value <= 10**12)
NOT_NEGATIVE = Range('0 or more and at most 1e38', lambda value: 0 <= value <= 1e38)
POSITIVE = Range('above 0 and at most 1e38', lambda value: 0 < value <= 1e38)
BELOW_1 = Range('at least 0 and below 1', lambda value: 0 <= value < 1)
SEED = Range('0 or more and below 2**31', lambda value: 0 <= value < 2**31)
SWITCH = Range('true or false', lambda value: True)
DIRECTION = Range('BtoA or AtoB', lambda value: value in ('BtoA', 'AtoB'))
PANELS = _at_least_1(64)
CHANNELS = Range('3 or 1', lambda value: value in (3, 1))
BITS = Range('8 or 16', lambda value: value in (8, 16))
METRIC = Range(
    'none, L1, RMSE, PSNR, SSIM, MS-SSIM or LPIPS',
    lambda value: value in ('none', 'L1', 'RMSE', 'PSNR', 'SSIM', 'MS-SSIM', 'LPIPS'),
)
GENERATOR_SIZE = Range(
    f'a multiple of {GENERATOR_STRIDE}, because the generator halves its input 8 times',
    lambda value: value > 0 and value % GENERATOR_STRIDE == 0,
)
CROP_SIDE = Range(
    f'{GENERATOR_SIZE.words}, and at most {MAX_SIDE}',
    lambda value: GENERATOR_SIZE.contains(value) and value <= MAX_SIDE,
)
SCALED_SIDE = _at_least_1(MAX_SIDE)


def _option(default, valid, meaning, changeable=False):
    """A row of the table. `changeable`: a resumed run may change it without `override`."""
    metadata = {'valid': valid, 'meaning': meaning, 'changeable': changeable}
    return dataclasses.field(default=default, metadata=metadata)


def _changeable(default, valid, meaning):
    return _option(default, valid, meaning, changeable=True)


@dataclasses.dataclass(frozen=True)
class Config:
    """The options of a model and its training: name, type, default, range and meaning.

    The defaults are the post's. A size may be given as people write it (256, '512x256'); its field
    holds (height, width). `create` checks the values; the bare constructor does not.
    """

    # Load Data
    scale_size: Size = _option(
        (286, 286),
        SCALED_SIDE,
        'Pixels to which each half is scaled before the crop: a side, or width x height (572x286).',
    )
    crop_size: Size = _option(
        (256, 256),
        CROP_SIDE,
        'Pixels of the images in the networks, in training a random crop: a side, or width x '
        'height (512x256).',
    )
    flip: bool = _option(
        False, SWITCH, 'Mirrors half of the pairs at random, left to right, both halves alike.'
    )
    direction: str = _option(
        'BtoA',
        DIRECTION,
        'BtoA: from the right half (B), learns the left half (A); AtoB: the reverse.',
    )
    input_panels: int = _option(
        1, PANELS, 'Images side by side in a file that are the input, such as a photo and a mask.'
    )
    output_panels: int = _option(
        1, PANELS, 'Images side by side in a file that are the target, all of the same size.'
    )
    channels: int = _option(3, CHANNELS, 'Channels of each image: 3 for RGB, 1 for gray.')
    bits: int = _option(8, BITS, 'Bits of a value in the files, 16 only in PNG, and in outputs.')
    batch_size: int = _option(1, PAIRS_PER_STEP, 'Pairs per step.')
    num_threads: typing.Optional[int] = _changeable(
        None,
        THREADS,
        'Threads that read images. By default one per core but at most 8, or one with a `seed`.',
    )
    # Generator and discriminator
    ngf: int = _option(64, FILTERS, 'Filters in the first layer of the generator.')
    ndf: int = _option(64, FILTERS, 'Filters in the first layer of the discriminator.')
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
    decay_from: typing.Optional[int] = _option(
        None,
        COUNT,
        'Step from which the learning rate falls linearly, to 0 at the last step. By default it '
        'never falls.',
    )
    beta1: float = _option(0.5, BELOW_1, 'First-moment decay of both Adam optimizers.')
    ema_decay: float = _option(0.99, BELOW_1, 'Decay of the moving averages of the losses.')
    # Train
    max_epochs: int = _changeable(200, AT_LEAST_1, 'Passes over the whole dataset.')
    max_steps: typing.Optional[int] = _changeable(
        None, AT_LEAST_1, 'Total number of steps; replaces `max_epochs`.'
    )
    progress_freq: int = _changeable(50, COUNT, 'Steps between two progress reports; 0: none.')
    save_freq: int = _changeable(5000, COUNT, 'Steps between two checkpoints; 0: only at the end.')
    save_secs: int = _changeable(
        0, COUNT, 'Seconds between two checkpoints, in addition to `save_freq`; 0: never.'
    )
    keep: int = _changeable(1, AT_LEAST_1, 'Number of newest checkpoints to keep.')
    keep_best: str = _changeable(
        'none',
        METRIC,
        'Validation metric whose best checkpoint is kept as well, in the folder best of `out`.',
    )
    seed: typing.Optional[int] = _changeable(
        None, SEED, 'Makes a run repeatable on a CPU. By default every run differs.'
    )
    # Monitoring
    summary_freq: int = _changeable(
        50, COUNT, 'Steps between two rows of losses.csv and of TensorBoard; 0: none.'
    )
    display_freq: int = _changeable(
        1000,
        COUNT,
        'Steps between two sets of images in TensorBoard and development.html; 0: none.',
    )
    histogram_freq: int = _changeable(
        0, COUNT, 'Steps between two sets of histograms of weights and gradients; 0: none.'
    )
    trace_freq: int = _changeable(
        0, COUNT, 'Steps between two profiles of the time that each op takes; 0: none.'
    )
    eval_freq: int = _changeable(
        1000, COUNT, 'Steps between two evaluations of validation images; 0: none.'
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
        False, SWITCH, 'Makes a run repeatable on a GPU as well; needs a `seed`.'
    )

    def __post_init__(self) -> None:
        for name in ('scale_size', 'crop_size'):
            value = getattr(self, name)
            if is_size(value):
                object.__setattr__(self, name, parse_size(value))

    @property
    def panels(self) -> int:
        """The images side by side in a file."""
        return self.input_panels + self.output_panels

    @property
    def is_rgb_pair(self) -> bool:
        """Whether the input is one RGB image of 8 bits, and so is the output."""
        return (self.panels, self.channels, self.bits) == (2, 3, 8)

    @property
    def input_channels(self) -> int:
        """The channels of the generator's input: those of its panels, one after the other."""
        return self.input_panels * self.channels

    @property
    def output_channels(self) -> int:
        """The channels of the generator's output: those of its panels, one after the other."""
        return self.output_panels * self.channels

    @property
    def pixel_type(self) -> str:
        """The type of a value in a file, as numpy and TensorFlow name it."""
        return f'uint{self.bits}'

    @property
    def white(self) -> int:
        """The largest value in a file: 255, or 65535 with 16 bits."""
        return 2**self.bits - 1


_SIZE = re.compile(r'([0-9]{1,9})(?:x([0-9]{1,9}))?$')


def is_size(value: object) -> bool:
    """Whether `value` is a size as people write it: 256, '256' or '512x256' (width x height)."""
    if type(value) is int:
        return 0 <= value < 10**9
    return isinstance(value, str) and bool(_SIZE.match(value))


def parse_size(value: object) -> Size:
    """256 => (256, 256), '512x256' => (256, 512); `value` is one for which `is_size` holds."""
    [(width, height)] = _SIZE.findall(str(value))
    return int(height or width), int(width)


def describe_size(size: Size) -> str:
    """(256, 512) => '512x256'."""
    return f'{size[1]}x{size[0]}'


def size_as_written(size: Size) -> typing.Union[int, str]:
    """The shortest way to write a size: (256, 256) => 256, (256, 512) => '512x256'."""
    return size[1] if size[0] == size[1] else describe_size(size)


class Option(typing.NamedTuple):
    """A row of the table, as flags, checks and docs/reference.md read it."""

    name: str
    default: typing.Any
    kind: typing.Any  # int, float, bool, str or Size
    optional: bool  # whether None is a value
    valid: Range
    meaning: str
    changeable: bool

    def as_written(self, value: typing.Any) -> typing.Any:
        """A value of this option, as people write it and as options.json has it."""
        return size_as_written(value) if isinstance(value, tuple) else value


def _row(field):
    optional = field.type == typing.Optional[int]
    kind = int if optional else field.type
    return Option(field.name, field.default, kind, optional, **field.metadata)


OPTIONS = tuple(map(_row, dataclasses.fields(Config)))


def as_written(config: Config) -> typing.Dict[str, typing.Any]:
    """{option: value}, as people write the values and as options.json has them."""
    return {o.name: o.as_written(getattr(config, o.name)) for o in OPTIONS}


_WORDS = {
    Size: 'a number of pixels, or width x height, such as 512x256',
    int: 'a whole number',
    float: 'a number',
    bool: 'true or false',
    str: 'a string',
}


def check(name: str, value: object) -> None:
    """Checks the value of one option, a size as people write it.

    Raises:
        UsageError: its type is wrong or it is out of range; the message names the option.
    """
    [option] = [option for option in OPTIONS if option.name == name]
    if value is None and option.optional:
        return
    each = 'it'
    if option.kind == Size:
        fits, numbers = is_size(value), ()
        if fits:
            numbers = parse_size(value)
            each = 'it' if numbers[0] == numbers[1] else 'each side'
    else:
        fits = type(value) is option.kind or (option.kind is float and type(value) is int)
        numbers = (value,)
    if not fits:
        raise UsageError(f'`{name}` is {_shown(value)}: it must be {_WORDS[option.kind]}')
    for number in numbers:
        finite = not isinstance(number, float) or math.isfinite(number)
        if not (finite and option.valid.contains(number)):
            shown = value if isinstance(value, str) and value.isprintable() else _shown(value)
            raise UsageError(f'`{name}` is {shown[:_LONGEST]}: {each} must be {option.valid.words}')


_LONGEST = 60  # characters of a value in a message


def _shown(value):
    """A value in a message: it may be of any type, length and depth."""
    if isinstance(value, (list, dict, tuple)):
        return f'a {type(value).__name__}'
    if isinstance(value, int) and value.bit_length() > 100:
        return 'a number of too many digits'
    text = repr(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + '...'


def create(**values: typing.Any) -> Config:
    """A Config with `values` instead of the defaults.

    Raises:
        UsageError: a value cannot be used; the message names its option.
    """
    config = Config(**values)
    for name, value in as_written(config).items():
        check(name, value)
    if any(scaled < cropped for scaled, cropped in zip(config.scale_size, config.crop_size)):
        scaled, cropped = map(size_as_written, (config.scale_size, config.crop_size))
        raise UsageError(
            f'`scale_size` is {scaled}, below `crop_size` {cropped}: '
            'a crop cannot be larger than the image'
        )
    if config.seed is not None and (config.num_threads or 1) > 1:
        raise UsageError('`seed` needs `num_threads`=1: several threads finish in no fixed order')
    if config.deterministic_ops and config.seed is None:
        raise UsageError('`deterministic_ops` needs a `seed`: without one every run differs')
    return config
