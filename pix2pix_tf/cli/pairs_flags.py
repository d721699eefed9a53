"""The flags of pix2pix-pairs, and which of its commands has which."""

from absl import flags

from pix2pix_tf.pairs import inputs, shaping

FLAGS = flags.FlagValues()
FLAGS.set_gnu_getopt(True)  # flags may follow DIR

# (name, default, meaning)
_TEXTS = (
    ('photos', None, 'make: folder of photos; its subfolders count, too.'),
    ('a', None, 'combine: folder of the left halves, by default the targets of a training.'),
    ('b', None, 'combine: folder of the right halves, by default the inputs.'),
    ('to', None, 'Folder for the pairs.'),
    ('match', '{stem}', "Name in B for a name in A, as in '{stem}_label'; or both, with a comma."),
    ('split', None, 'Parts and their shares, as in train:0.8,val:0.1,test:0.1.'),
    ('group', None, 'Regular expression; files in which its groups are equal stay together.'),
    ('background', 'white', 'Color of the margins of `resize`=pad.'),
    ('panels', None, 'import: what the panels of a file are, as in b,-,a; - is left out.'),
    ('out', 'out/check', 'check: folder for check.html and check.json.'),
)
_CHOICES = (
    ('input', 'edges', tuple(inputs.KINDS), 'make: what is computed from each photo.'),
    ('resize', 'crop', shaping.RESIZES, 'How an image gets `size`.'),
    (
        'labels',
        'auto',
        ('auto', 'a', 'b', 'both', 'none'),
        'Halves that are label maps, whose colors stay exact. auto: those with at most '
        f'{shaping.MOST_LABELS} colors.',
    ),
    (
        'format',
        'auto',
        ('auto', 'jpg', 'png'),
        'auto: png for labels and flat colors, and of PNG files by swap and with panels; else jpg.',
    ),
)
_SHAPE = 'size resize background format quality'
_SPLIT = 'split group seed'
_INPUTS = 'edge_blur edge_low edge_high blur factor masked colors'

# {command: its flags}
FLAGS_OF = {
    'make': f'photos to input {_INPUTS} {_SHAPE} {_SPLIT} processes',
    'combine': f'a b to match partial labels {_SHAPE} {_SPLIT} processes',
    'split': 'to processes',
    'swap': 'to format quality processes',
    'import': f'to match panels partial labels {_SHAPE} processes',
    'check': 'out processes',
}
for _name, _default, _meaning in _TEXTS:
    flags.DEFINE_string(_name, _default, _meaning, flag_values=FLAGS)
for _name, _default, _values, _meaning in _CHOICES:
    flags.DEFINE_enum(_name, _default, _values, _meaning, flag_values=FLAGS)
_NUMBERS = (
    (flags.DEFINE_integer, 'size', None, 1, 2**13, 'Side of each half; by default as it is.'),
    (flags.DEFINE_integer, 'quality', 95, 1, 100, 'Quality of JPEG files.'),
    (flags.DEFINE_integer, 'seed', 0, 0, 2**31 - 1, 'Chooses the parts and the masks.'),
    (
        flags.DEFINE_float,
        'edge_blur',
        1.4,
        0,
        100,
        'edges: standard deviation of a blur; pixels.',
    ),
    (flags.DEFINE_float, 'edge_low', None, 0, 2040, "edges: Canny's lower threshold."),
    (
        flags.DEFINE_float,
        'edge_high',
        None,
        0,
        2040,
        'edges: upper threshold; by default by photo.',
    ),
    (flags.DEFINE_float, 'blur', 4.0, 0.1, 1000, 'blur: standard deviation in pixels.'),
    (
        flags.DEFINE_integer,
        'factor',
        4,
        2,
        256,
        'downscale: how much smaller the sides get.',
    ),
    (flags.DEFINE_float, 'masked', 0.25, 0.01, 0.9, 'mask: share of the area.'),
    (flags.DEFINE_integer, 'colors', 8, 2, 256, 'posterize: number of colors.'),
    (
        flags.DEFINE_integer,
        'processes',
        None,
        1,
        1024,
        'Processes; by default one per core.',
    ),
)
for _define, _name, _default, _low, _high, _meaning in _NUMBERS:
    _define(
        _name,
        _default,
        _meaning,
        lower_bound=_low,
        upper_bound=_high,
        flag_values=FLAGS,
    )
flags.DEFINE_boolean(
    'partial',
    False,
    'combine, import: goes on without images that have no partner or another aspect.',
    flag_values=FLAGS,
)
