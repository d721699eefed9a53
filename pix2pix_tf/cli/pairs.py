"""Makes, changes and checks the files of pairs that a training reads.

make computes an input for each image in --photos. combine joins images of equal names in --a and
--b. split DIR takes pairs apart, into A/ and B/. swap DIR exchanges the halves. import DIR reads
the layouts of other projects. All of them write to --to; the same command resumes, and adds the
pairs of new files. check DIR looks for bad files, copies in two parts, and halves that do not
belong together.
"""

import functools
import os
from typing import Callable, Dict, Sequence

from absl import flags
from PIL import ImageColor

from pix2pix_tf.pairs import (
    bands,
    check,
    check_page,
    halves,
    inputs,
    make,
    match,
    record,
    split,
    stacks,
)
from pix2pix_tf.system import processes
from pix2pix_tf.system.console import count, print_line
from pix2pix_tf.system.errors import DataError, UsageError, with_flags

_SHAPE = 'size resize background format quality'
_SPLIT = 'split group seed'
_BANDS = 'channels bits range'
_INPUTS = ' '.join(inputs.Parameters._fields)

# {command: its flags}
FLAGS_OF = {
    'make': f'photos to input {_INPUTS} {_SHAPE} {_SPLIT} processes',
    'combine': f'a b to match partial labels colorize {_BANDS} {_SHAPE} {_SPLIT} processes',
    'split': 'to processes',
    'swap': 'to format quality processes',
    'import': f'to match panels partial labels colorize {_SHAPE} processes',
    'check': 'out panels doubt_below processes',
}
ARGUMENTS = '|'.join(FLAGS_OF) + ' [DIR]'

_NOT_IN_RECIPE = ('to', 'processes', 'partial')


class _InputFlag(flags.EnumFlag):
    """--input, which also takes the older names of its values."""

    def parse(self, argument: str) -> None:
        """Sets the value from what was typed."""
        super().parse(inputs.current_name(argument))


FLAGS = flags.FlagValues()
FLAGS.set_gnu_getopt(True)  # flags may follow DIR

# (name, default, meaning)
for _flag in (
    ('photos', None, 'make: folder of photos; its subfolders also count.'),
    ('to', None, 'Folder for the pairs.'),
    ('match', '{stem}', "Name in B for a name in A, as in '{stem}_label'; or both, with a comma."),
    ('split', None, 'Parts and their shares, as in train:0.8,val:0.1,test:0.1.'),
    ('group', None, 'Regular expression; files in which its groups are equal stay together.'),
    ('background', 'white', 'Color of the margins of `resize`=pad.'),
    (
        'panels',
        None,
        'import, check: what the panels of a file are, as in a,b,b; with import, - is left out.',
    ),
    (
        'range',
        None,
        'combine: the values that become black and white, as in 0,4095; not of images of 8 bits.',
    ),
    ('out', 'out/check', 'check: folder for check.html and check.json.'),
):
    flags.DEFINE_string(*_flag, flag_values=FLAGS)
for _flag in (
    ('a', None, 'combine: folder of the left panels, by default the targets of a training.'),
    ('b', None, 'combine: folder of the right panels, by default the inputs.'),
):
    flags.DEFINE_multi_string(*_flag, flag_values=FLAGS)
flags.DEFINE_flag(
    _InputFlag('input', 'edges', 'make: what is computed from each photo.', inputs.KINDS), FLAGS
)
# (name, default, values, meaning)
for _choice in (
    ('resize', 'crop', halves.RESIZES, 'How an image gets `size`.'),
    (
        'labels',
        'auto',
        ('auto', 'a', 'b', 'both', 'none'),
        'Halves that are label maps, whose colors stay exact. auto: those with regions of at most '
        f'{halves.MOST_LABELS} colors.',
    ),
    (
        'colorize',
        'none',
        ('a', 'b', 'both', 'none'),
        'combine, import: halves that are class ids in gray; they get the colors in legend.html.',
    ),
    ('channels', '3', ('3', '1'), 'combine: channels of each panel: 3 for RGB, 1 for gray.'),
    ('bits', '8', ('8', '16'), 'combine: bits of a value; 16 writes PNG files.'),
    (
        'format',
        'auto',
        ('auto', 'jpg', 'png'),
        'auto: png for labels and flat colors, and of PNG files by swap and with panels; else jpg.',
    ),
):
    flags.DEFINE_enum(*_choice, flag_values=FLAGS)
# (name, default, meaning, lowest value, highest value)
for _integer in (
    ('size', None, 'Side of each half; by default as it is.', 1, 2**13),
    ('quality', 95, 'Quality of JPEG files.', 1, 100),
    ('seed', 0, 'Chooses the parts and the masks.', 0, 2**31 - 1),
    ('factor', 4, 'downscale: how much smaller the sides get.', 2, 256),
    ('colors', 8, 'posterize: number of colors.', 2, 256),
    ('processes', None, 'Processes; by default one per core.', 1, 1024),
):
    flags.DEFINE_integer(*_integer, flag_values=FLAGS)
for _float in (
    ('edge_blur', 1.4, 'edges: standard deviation of a blur; pixels.', 0, 100),
    ('edge_low', None, "edges: Canny's lower threshold.", 0, 2040),
    ('edge_high', None, 'edges: upper threshold; by default by photo.', 0, 2040),
    ('blur', 4.0, 'blur: standard deviation in pixels.', 0.1, 1000),
    ('masked', 0.25, 'mask: share of the area.', 0.01, 0.9),
    (
        'doubt_below',
        check.DOUBT_BELOW,
        'check: asks about pairs whose halves have fewer edges in common than this share of the '
        'median of all pairs; 0 asks about none.',
        0,
        1,
    ),
):
    flags.DEFINE_float(*_float, flag_values=FLAGS)
flags.DEFINE_boolean(
    'partial',
    False,
    'combine, import: continue without images that have no partner or another aspect.',
    flag_values=FLAGS,
)


def main(arguments: Sequence[str]) -> None:
    """`arguments` are one of the commands in FLAGS_OF and, for most of them, a folder."""
    if not arguments or arguments[0] not in FLAGS_OF:
        given = f'{arguments[0]} is not one' if arguments else 'none is given'
        raise UsageError(f'commands are {", ".join(FLAGS_OF)}; {given}: see --help')
    command, *folders = arguments
    names = FLAGS_OF[command].split()
    for name in FLAGS:
        if FLAGS[name].present and name not in names:
            raise UsageError(f'`{name}` is not a flag of pix2pix-pairs {command}: see --help')
    if command in ('make', 'combine'):
        if folders:
            raise UsageError(f'{folders[0]} is not a flag: see --help')
    elif len(folders) != 1:
        raise UsageError(f'give one folder: pix2pix-pairs {command} DIR')
    for name in ('photos', 'a', 'b', 'to'):
        is_optional = name == 'a' and len(FLAGS.b or ()) > 1  # files of inputs alone
        if name in names and not FLAGS[name].value and not is_optional:
            raise UsageError(f'`{name}` is missing: give a folder')
    try:
        ImageColor.getrgb(FLAGS.background)
    except ValueError as error:
        raise UsageError(
            f'`background` is {FLAGS.background!r}: give a color such as white'
        ) from error
    _COMMANDS[command](*folders)


def _make():
    make.check_apart(FLAGS.to, FLAGS.photos)
    _check_unmixed(FLAGS.photos, 'its subfolders are then kept')
    found = match.find_photos(FLAGS.photos)
    # Flat colors stay flat in a PNG file
    extension = 'png' if FLAGS.input == 'posterize' else 'jpg'
    parameters = inputs.Parameters(*(FLAGS[name].value for name in inputs.Parameters._fields))
    options = _options(extension, kind=FLAGS.input, parameters=parameters)
    _report(make.make_pairs(found, halves.pair_of_photo, options, _output('make', FLAGS.photos)))


def _combine():
    sides = ('a',) * len(FLAGS.a or ()) + ('b',) * len(FLAGS.b)
    folders = [*(FLAGS.a or ()), *FLAGS.b]
    make.check_apart(FLAGS.to, *folders)
    _check_unmixed(folders[0], 'or use pix2pix-pairs import on the folder of both')
    found = match.match_folders(folders, FLAGS.match)
    output = _output('combine', *folders)
    output.recipe['sides'] = ','.join(sides)
    arrays = any(bands.is_array(path) for one in found.pairs for path in one.paths)
    if arrays or sides != ('a', 'b') or any(FLAGS[name].present for name in _BANDS.split()):
        _make_stacks(found, output, sides)
    else:
        _make_of_two(found, output)


def _make_stacks(found, output, sides):
    """Makes files of any number of panels; `sides` are those of the files of a source."""
    if FLAGS.colorize != 'none':
        raise UsageError('`colorize` is for pairs of two RGB images of 8 bits')
    if FLAGS.bits == '16' and FLAGS.format == 'jpg':
        raise UsageError('`format`=jpg has values of 8 bits: `bits`=16 needs png')
    values = FLAGS.range and stacks.parse_range(FLAGS.range)
    stack = stacks.Stack(sides, 0, int(FLAGS.channels), int(FLAGS.bits), values)
    found = _without_unusable(found)
    listed = record.read_record(FLAGS.to, output.recipe).found.get('panels')
    panels = tuple(listed.split(',')) if listed else stacks.sides_of(stack, found.pairs)
    stack = stack._replace(panels=len(panels))
    output = output._replace(found={'panels': ','.join(panels)})
    build, hash_of = (
        functools.partial(function, stack) for function in (stacks.file_of_panels, stacks.hash_of)
    )
    made = make.make_pairs(found, build, _options('png', labels=FLAGS.labels), output, hash_of)
    _report(made)
    flags = [record.describe_flags(panels)]
    flags += [f'`{name}`={FLAGS[name].value}' for name in ('channels', 'bits')]
    if 'a' in panels:
        print_line(with_flags(f'train with {", ".join(flags)}'))
    _check_complete(made, found)


def _check_unmixed(folder, advice):
    """Checks that `split` does not mix the parts that `folder` already has."""
    parts = match.parts_in(folder)
    if parts and FLAGS.split:
        raise UsageError(
            f'{folder} has {" and ".join(part + "/" for part in parts)}, which `split` would mix: '
            f'give an empty `split`=, {advice}'
        )


def _import(folder):
    make.check_apart(FLAGS.to, folder)
    output = _output('import', folder)
    if FLAGS.panels is None:
        found, renamed = match.test_as_val(match.match_layout(folder, FLAGS.match))
    else:
        panels = tuple(FLAGS.panels.split(','))
        if sorted(panel for panel in panels if panel != '-') != ['a', 'b']:
            raise UsageError(f'`panels` is {FLAGS.panels!r}: name a and b once, as in b,-,a')
        found, renamed = match.test_as_val(match.find_photos(folder))
    if renamed:
        print_line('there is no val/, which exports read: the images of test/ go there')
    if FLAGS.panels is None:
        return _make_of_two(found, output)
    if FLAGS.colorize != 'none':
        raise UsageError('`colorize` is for class ids in separate files, without `panels`')
    looked, extension = _labels(output, lambda: halves.look_at(found.pairs, panels))
    extension = 'png' if extension == 'png' else _extension_of(found)
    options = _options(extension, labels=looked['labels'], panels=panels)
    output = output._replace(found=looked)
    _report(make.make_pairs(found, halves.pair_of_panels, options, output))


def _make_of_two(found, output):
    """Makes pairs of two files each."""
    found = _without_unusable(found)
    looked, extension = _labels(output, lambda: halves.look_at(found.pairs, 'a', 'b'))
    options = _options(extension, labels=looked['labels'], colorize=FLAGS.colorize)
    output = output._replace(found=looked, legend=_legend(found))
    made = make.make_pairs(found, halves.pair_of_two, options, output)
    _report(made)
    _check_complete(made, found)


def _without_unusable(found):
    """`found` without files of another aspect; with any, and without `partial`, an error."""
    found = match.leave_out_other_aspects(found, FLAGS.processes)
    if found.left_out and not FLAGS.partial:
        for line in found.left_out:
            print_line(line)
        unusable = count(len(found.left_out), 'file')
        raise DataError(
            f'{unusable}, as named above, cannot be used: repair them, or continue without them '
            'with `partial`'
        )
    return found


def _check_complete(made, found):
    if len(made.left_out) > len(found.left_out) and not FLAGS.partial:
        raise DataError('some files were left out, as named above: see `partial`')


_WORDS = {
    'labels': 'label maps, scaled without blending',
    'lines': 'line drawings, scaled with blending',
    'colors': 'images of many colors, scaled with blending',
}


def _labels(output, look):
    """({'labels': which halves are label maps, 'lines': which are drawings}, the extension).

    From the flags, from pairs.json, or by what the first files look like. Prints which.
    """
    recorded = record.read_record(FLAGS.to, output.recipe).found
    if FLAGS.labels != 'auto' or 'labels' in recorded:
        labels = FLAGS.labels if FLAGS.labels != 'auto' else recorded['labels']
        kinds = {side: 'labels' if labels in (side, 'both') else 'colors' for side in 'ab'}
        kinds.update(dict.fromkeys(recorded.get('lines', ''), 'lines'))
    else:
        looked = look()
        kinds = looked.kinds
        if FLAGS.colorize == 'none':
            for line in looked.doubts:
                print_line(with_flags(line))
    for side in 'ab':
        if FLAGS.colorize in (side, 'both'):
            kinds[side] = 'labels'
    words = '; '.join(f'{side.upper()}: {_WORDS[kinds[side]]}' for side in 'ab')
    print_line(with_flags(f'{words} (see `labels`)'))
    labels, lines = (
        ''.join(side for side in 'ab' if kinds[side] == kind) for kind in ('labels', 'lines')
    )
    extension = 'png' if labels or lines else 'jpg'
    return {'labels': {'ab': 'both', '': 'none'}.get(labels, labels), 'lines': lines}, extension


def _legend(found):
    """{class id: color} of all files that `colorize` is for."""
    legend: Dict[str, str] = {}
    sides = [number for number, side in enumerate('ab') if FLAGS.colorize in (side, 'both')]
    paths = [one.paths[side] for one in found.pairs for side in sides]
    for _, colors in processes.each(halves.legend_of, paths, FLAGS.processes):
        legend.update(colors)
    return legend


def _split(folder):
    make.check_apart(FLAGS.to, folder)
    found = match.find_photos(folder)
    output = _output('split', folder)._replace(folders=('A', 'B'))
    _report(make.make_pairs(found, halves.both_halves, _options('png'), output))


def _swap(folder):
    make.check_apart(FLAGS.to, folder)
    found = match.find_photos(folder)
    options = _options(_extension_of(found), panels=('b', 'a'))
    _report(make.make_pairs(found, halves.pair_of_panels, options, _output('swap', folder)))


def _check(folder):
    panels = tuple(FLAGS.panels.split(',')) if FLAGS.panels else record.panels_in(folder)
    if panels and not (set(panels) == {'a', 'b'} and sorted(panels) == list(panels)):
        raise UsageError(f'`panels` is {",".join(panels)!r}: name those of A, then B, as in a,b,b')
    findings = check.check_dataset(folder, FLAGS.doubt_below, FLAGS.processes, panels or ('a', 'b'))
    page = check_page.write_page(findings, FLAGS.out)
    for line in findings.faults + findings.warnings:
        print_line(with_flags(line))
    print_line(with_flags(findings.flip))
    if len(panels) > 2:
        print_line(with_flags(f'train with {record.describe_flags(panels)}'))
    print_line(f'{count(findings.pairs, "pair")} checked; open {page}')
    if findings.faults:
        raise DataError(f'{folder} is not fit for a training, for the reasons above: repair it')


def _extension_of(found):
    """PNG where a source has it, so that no colors are lost."""
    kinds = {os.path.splitext(path)[1].lower() for pair in found.pairs for path in pair.paths}
    return 'png' if '.png' in kinds else 'jpg'


def _options(extension, **changes):
    shape = halves.Shape(FLAGS.size, FLAGS.resize, FLAGS.background)
    if FLAGS.format != 'auto':
        extension = FLAGS.format
    return halves.PairOptions(shape, extension, FLAGS.quality, seed=FLAGS.seed, **changes)


def _output(command, *sources):
    """Where the pairs go, with a recipe of all that decides about their pixels and parts."""
    names = [name for name in FLAGS_OF[command].split() if name not in _NOT_IN_RECIPE]
    recipe = {'command': command, 'sources': [os.path.abspath(source) for source in sources]}
    recipe.update((name, FLAGS[name].value) for name in names if name not in ('photos', 'a', 'b'))
    shares = split.parse_shares(recipe['split']) if recipe.get('split') else None
    if FLAGS.group is not None:
        split.group_of('', FLAGS.group)
        if not shares:
            raise UsageError('`group` needs `split`')
    return make.Output(
        FLAGS.to, recipe, shares=shares, group=FLAGS.group, processes=FLAGS.processes
    )


def _report(made):
    for line in made.left_out:
        print_line(f'left out: {with_flags(line)}')
    for line in made.others:
        print_line(f'left out: {line}')
    present = (
        f', {made.present} {"was" if made.present == 1 else "were"} there' if made.present else ''
    )
    left_out = f', {len(made.left_out)} left out' if made.left_out else ''
    parts = ''.join(f'; {number} in {part}' for part, number in made.parts.items())
    print_line(f'made {count(made.made, "pair")} in {FLAGS.to}{present}{left_out}{parts}')
    for part, number in made.parts.items():
        if not number and made.made + made.present:
            print_line(f'{part} has no pairs: there are too few files, or they belong together')
    if not made.made + made.present:
        raise DataError('no pair could be made, for the reasons above')


_COMMANDS: Dict[str, Callable[..., None]] = {
    'make': _make,
    'combine': _combine,
    'split': _split,
    'swap': _swap,
    'import': _import,
    'check': _check,
}
