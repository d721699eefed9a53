"""What becomes one pair: photos by themselves, or files of two folders by their names."""

import collections
import os
import re
import typing

from pix2pix_tf.pairs import find, read, records
from pix2pix_tf.system.errors import DataError, UsageError
from pix2pix_tf.system.processes import each

ASPECT_TOLERANCE = 0.02  # by which the aspect ratios of two halves may differ


class Sources(typing.NamedTuple):
    """What one pair is made of."""

    key: str  # path below the folder, without extension
    paths: typing.Tuple[str, ...]  # the files: the photo, or A and B


class Found(typing.NamedTuple):
    """The files of a folder or two."""

    sources: typing.List[Sources]
    left_out: typing.List[str]  # a line for each image that cannot be used
    others: typing.List[str]  # a line for each file that is no image


def find_photos(folder: str) -> Found:
    """The images in `folder` and its subfolders, each by itself.

    Raises:
        DataError: there is no such folder, or no image in it.
    """
    named, others = _named(folder)
    sources, left_out = [], []
    for key, paths in named.items():
        sources.append(Sources(key, (paths[0],)))
        left_out += [f'{path} has the name of {paths[0]}; rename one' for path in paths[1:]]
    return Found(sources, left_out, others)


def find_pairs(a: str, b: str, pattern: str = '{stem}') -> Found:
    """The images of the folders `a` and `b` that have the same path and name, without extension.

    `pattern` says how the name in `b` comes from the name in `a`: {stem} is what they share, as in
    '{stem}_label', or '{stem}_photo,{stem}_label' for both.

    Raises:
        UsageError: `pattern` has no {stem}.
        DataError: there is no such folder, or no image in it.
    """
    patterns = pattern.split(',')
    if len(patterns) > 2 or any(one.count('{stem}') != 1 for one in patterns):
        raise UsageError(f"`match` is {pattern!r}: write it as '{{stem}}_label', with one {{stem}}")
    sides, others, left_out = [], [], []
    for folder, one in ((a, '{stem}' if len(patterns) == 1 else patterns[0]), (b, patterns[-1])):
        named, no_images = _named(folder)
        others += no_images
        side: typing.Dict[str, typing.List[str]] = collections.OrderedDict()
        for key, paths in named.items():
            stem = _stem(key, one)
            if stem is None:
                left_out += [f'{path} has a name that does not match {one}' for path in paths]
            else:
                side[stem] = paths
        sides.append(side)
    sources = []
    for stem in [*sides[0], *(stem for stem in sides[1] if stem not in sides[0])]:
        found = [side.get(stem, []) for side in sides]
        if [len(paths) for paths in found] == [1, 1]:
            sources.append(Sources(stem, (found[0][0], found[1][0])))
            continue
        for paths, partners, folder in ((found[0], found[1], b), (found[1], found[0], a)):
            if not partners:
                left_out += [f'{path} has no partner in {folder}' for path in paths]
            elif len(paths) > 1:
                left_out += [f'{path} is one of {len(paths)} files of this name' for path in paths]
            elif paths:
                left_out.append(f'{paths[0]} has {len(partners)} partners in {folder}')
    return Found(sources, left_out, others)


def _named(folder):
    """({path below `folder` without extension: paths}, a line for each other file)."""
    if not os.path.isdir(folder):
        raise DataError(f'no folder {folder}: give one with images')
    images, others = find.walk_images([folder])
    if not images:
        raise DataError(f'no image in {folder}: give a folder with images')
    named: typing.Dict[str, typing.List[str]] = collections.OrderedDict()
    for path, below in images:
        named.setdefault(os.path.splitext(below)[0], []).append(path)
    others = [path for path in others if os.path.basename(path) != records.FILENAME]  # ours
    return named, [f'{path} is not an image, by its extension' for path in others]


def _stem(key, pattern):
    folder, name = os.path.split(key)
    before, after = pattern.split('{stem}')
    found = re.match(f'{re.escape(before)}(.+){re.escape(after)}$', name, re.S)
    return os.path.join(folder, found.group(1)) if found else None


def leave_out_other_aspects(found: Found, processes: typing.Optional[int] = None) -> Found:
    """`found` without what is of two aspect ratios, or is no image by its header."""
    sources, left_out = [], list(found.left_out)
    for one, fault in each(_aspect_fault, found.sources, processes):
        if fault:
            left_out.append(fault)
        else:
            sources.append(one)
    return Found(sources, left_out, found.others)


def _aspect_fault(sources):
    try:
        (wide, high), (width, height) = (_upright_size(path) for path in sources.paths)
    except DataError as error:
        return str(error)
    if abs(wide * height - width * high) <= ASPECT_TOLERANCE * wide * height:
        return None
    a, b = sources.paths
    return f'{a} has {wide}x{high} pixels, another aspect than the {width}x{height} of {b}'


def _upright_size(path):
    with read.opened(path, path) as image:
        width, height = image.size
        turned = read.orientation_of(image) >= 5
        return (height, width) if turned else (width, height)
