"""Makes, changes and checks the files of pairs that a training reads.

make computes an input for each image in --photos. combine joins images of equal names in --a and
--b. split DIR takes pairs apart, into A/ and B/. swap DIR exchanges the halves. import DIR reads
the layouts of other projects. All of them write to --to; the same command resumes, and adds what
is new. check DIR looks for what would spoil a training.
"""

import os
import typing

from PIL import ImageColor

from pix2pix_tf.cli.pairs_flags import FLAGS, FLAGS_OF
from pix2pix_tf.pairs import (
    building,
    check,
    check_page,
    inputs,
    layouts,
    make,
    match,
    records,
    shaping,
    split,
)
from pix2pix_tf.system.console import count, print_line
from pix2pix_tf.system.errors import DataError, UsageError, with_flags

ARGUMENTS = '|'.join(FLAGS_OF) + ' [DIR]'

_NOT_IN_RECIPE = ('to', 'processes', 'partial')


def main(arguments: typing.Sequence[str]) -> None:
    """Runs the command that `arguments` begin with."""
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
        if name in names and not FLAGS[name].value:
            raise UsageError(f'`{name}` is missing: give a folder')
    try:
        ImageColor.getrgb(FLAGS.background)
    except ValueError as error:
        raise UsageError(f'`background` is {FLAGS.background!r}: give a color, as white') from error
    _COMMANDS[command](*folders)


def _make():
    make.check_apart(FLAGS.to, FLAGS.photos)
    found = match.find_photos(FLAGS.photos)
    # Flat colors stay flat in a PNG file
    extension = 'png' if FLAGS.input == 'posterize' else 'jpg'
    settings = _settings(
        extension, kind=FLAGS.input, computing=inputs.Settings(*(FLAGS[n].value for n in _INPUTS))
    )
    _report(make.make(found, building.make, settings, _output('make', FLAGS.photos)))


_INPUTS = inputs.Settings._fields


def _combine():
    make.check_apart(FLAGS.to, FLAGS.a, FLAGS.b)
    found = match.find_pairs(FLAGS.a, FLAGS.b, FLAGS.match)
    _join(found, _output('combine', FLAGS.a, FLAGS.b))


def _import(folder):
    make.check_apart(FLAGS.to, folder)
    output = _output('import', folder)
    if FLAGS.panels is None:
        found, renamed = layouts.as_parts(layouts.find_pairs(folder, FLAGS.match))
    else:
        panels = tuple(FLAGS.panels.split(','))
        if sorted(panel for panel in panels if panel != '-') != ['a', 'b']:
            raise UsageError(f'`panels` is {FLAGS.panels!r}: name a and b once, as in b,-,a')
        found, renamed = layouts.as_parts(match.find_photos(folder))
    if renamed:
        print_line('there is no val/, which exports read: the images of test/ go there')
    if FLAGS.panels is None:
        return _join(found, output)
    labels = _labels(output, lambda: building.find_labels(found.sources, panels))
    settings = _settings(_extension_of(found, labels), labels=labels, panels=panels)
    output = output._replace(found={'labels': labels})
    _report(make.make(found, building.rearrange, settings, output))


def _join(found, output):
    """Combines the two files of each of the sources."""
    found = match.leave_out_other_aspects(found, FLAGS.processes)
    if found.left_out and not FLAGS.partial:
        for line in found.left_out:
            print_line(line)
        unusable = count(len(found.left_out), 'file')
        raise DataError(
            f'{unusable}, as named above, cannot be used: repair them, or go on without them with '
            '`partial`'
        )
    labels = _labels(output, lambda: building.find_labels(found.sources, 'a', 'b'))
    settings = _settings('jpg' if labels == 'none' else 'png', labels=labels)
    output = output._replace(found={'labels': labels})
    made = make.make(found, building.combine, settings, output)
    _report(made)
    if len(made.left_out) > len(found.left_out) and not FLAGS.partial:
        raise DataError('some files were left out, as named above: see `partial`')


def _labels(output, find):
    """Which halves are label maps: as said, as in what is there already, or by their colors."""
    if FLAGS.labels != 'auto':
        return FLAGS.labels
    return records.read(FLAGS.to, output.recipe).found.get('labels') or find()


def _split(folder):
    make.check_apart(FLAGS.to, folder)
    found = match.find_photos(folder)
    output = _output('split', folder)._replace(folders=('A', 'B'))
    _report(make.make(found, building.split, _settings('png'), output))


def _swap(folder):
    make.check_apart(FLAGS.to, folder)
    found = match.find_photos(folder)
    settings = _settings(_extension_of(found), panels=('b', 'a'))
    _report(make.make(found, building.rearrange, settings, _output('swap', folder)))


def _check(folder):
    report = check.check(folder, FLAGS.processes)
    page = check_page.write(report, FLAGS.out)
    for line in report.faults + report.warnings:
        print_line(line)
    print_line(f'{count(report.pairs, "pair")} checked; open {page}')
    if report.faults:
        raise DataError(f'{folder} is not fit for a training, as said above: repair it')


def _extension_of(found, labels='none'):
    """PNG where a source has it, so that no colors are lost."""
    kinds = {os.path.splitext(path)[1].lower() for one in found.sources for path in one.paths}
    return 'png' if '.png' in kinds or labels != 'none' else 'jpg'


def _settings(extension, **changes):
    shape = shaping.Shape(FLAGS.size, FLAGS.resize, FLAGS.background)
    if FLAGS.format != 'auto':
        extension = FLAGS.format
    return building.Settings(shape, extension, FLAGS.quality, seed=FLAGS.seed, **changes)


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
    present = f', {made.present} were there' if made.present else ''
    left_out = f', {len(made.left_out)} left out' if made.left_out else ''
    parts = ''.join(f'; {number} in {part}' for part, number in made.parts.items())
    print_line(f'made {count(made.made, "pair")} in {FLAGS.to}{present}{left_out}{parts}')
    for part, number in made.parts.items():
        if not number and made.made + made.present:
            print_line(f'{part} has no pairs: there are too few files, or they belong together')
    if not made.made + made.present:
        raise DataError('no pair could be made, for the reasons above')


_COMMANDS: typing.Dict[str, typing.Callable[..., None]] = {
    'make': _make,
    'combine': _combine,
    'split': _split,
    'swap': _swap,
    'import': _import,
    'check': _check,
}
