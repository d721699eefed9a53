"""Which files belong to one pair: a photo alone, or files of two folders by their names."""

import collections
import os
import re
import unicodedata
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from pix2pix_tf.pairs import bands, find, record
from pix2pix_tf.system.errors import DataError, UsageError
from pix2pix_tf.system.processes import each

_PARTS = ('train', 'val', 'validation', 'valid', 'test')
ASPECT_TOLERANCE = 0.02  # by which the aspect ratios of two halves may differ


class PairFiles(NamedTuple):
    """The files from which one pair is made."""

    key: str  # path below the folder, without extension
    paths: Tuple[str, ...]  # the files: the photo, or A and B


class Found(NamedTuple):
    """The files of a folder or two."""

    pairs: List[PairFiles]
    left_out: List[str]  # a line for each image that cannot be used
    others: List[str]  # a line for each file that is not an image


def find_photos(folder: str) -> Found:
    """The images in `folder` and its subfolders, each by itself.

    Raises:
        DataError: a folder is missing, or has no image.
    """
    named, others = _named(folder)
    pairs, left_out = [], []
    for (key, *_), paths in named.values():
        pairs.append(PairFiles(key, (paths[0],)))
        form = _form(paths)
        left_out += [f'{path} has the name of {paths[0]}{form}; rename one' for path in paths[1:]]
    return Found(pairs, left_out, others)


def match_names(a: str, b: str, pattern: str = '{stem}', arrays: bool = False) -> Found:
    """The images of the folders `a` and `b` that have the same path and name, without extension.

    `pattern` says how the name in `b` comes from the name in `a`: {stem} is what they share, as in
    '{stem}_label', or '{stem}_photo,{stem}_label' for both. With `arrays`, .npy files count.

    Raises:
        UsageError: `pattern` has no {stem}.
        DataError: a folder is missing, or has no image.
    """
    patterns = pattern.split(',')
    if len(patterns) > 2 or any(one.count('{stem}') != 1 for one in patterns):
        raise UsageError(f"`match` is {pattern!r}: write it as '{{stem}}_label', with one {{stem}}")
    sides, others, left_out = [], [], []
    keys: Dict[str, str] = {}
    for folder, one in ((a, '{stem}' if len(patterns) == 1 else patterns[0]), (b, patterns[-1])):
        named, no_images = _named(folder, arrays)
        others += no_images
        side: Dict[str, List[str]] = collections.OrderedDict()
        for key, (written, paths) in named.items():
            stem = _stem(key, unicodedata.normalize('NFC', one))
            if stem is None:
                left_out += [f'{path} has a name that does not match {one}' for path in paths]
            else:
                side[stem] = paths
                keys.setdefault(stem, _stem(written[0], one) or stem)
        sides.append(side)
    pairs = []
    for stem in [*sides[0], *(stem for stem in sides[1] if stem not in sides[0])]:
        found = [side.get(stem, []) for side in sides]
        if [len(paths) for paths in found] == [1, 1]:
            pairs.append(PairFiles(keys[stem], (found[0][0], found[1][0])))
            continue
        for paths, partners, folder in ((found[0], found[1], b), (found[1], found[0], a)):
            if not partners:
                left_out += [f'{path} has no partner in {folder}' for path in paths]
            elif len(paths) > 1:
                left_out += [
                    f'{path} is one of {len(paths)} files of this name{_form(paths)}'
                    for path in paths
                ]
            elif paths:
                left_out.append(f'{paths[0]} has {len(partners)} partners in {folder}')
    return Found(pairs, left_out, others)


def match_folders(folders: Sequence[str], pattern: str = '{stem}') -> Found:
    """The images and arrays of two or more `folders` that have the same path and name.

    `pattern` is that of `match_names`: one for all folders after the first, or one for each folder.

    Raises:
        UsageError: `pattern` has no {stem}, or there are more or fewer patterns than folders.
        DataError: a folder is missing, or has no image.
    """
    first, *others = folders
    patterns = pattern.split(',')
    if len(patterns) not in (1, len(folders)):
        raise UsageError(f'`match` is {pattern!r}: write one name, or one for each folder')
    found = [
        match_names(first, other, pattern if len(patterns) == 1 else f'{patterns[0]},{one}', True)
        for other, one in zip(others, patterns[1:] or others)
    ]
    paths = [{pair.key: pair.paths for pair in one.pairs} for one in found]
    whole = [
        PairFiles(pair.key, pair.paths[:1] + tuple(one[pair.key][1] for one in paths))
        for pair in found[0].pairs
        if all(pair.key in one for one in paths)
    ]
    left_out, no_images = (
        list(collections.OrderedDict.fromkeys(line for lines in group for line in lines))
        for group in ([one.left_out for one in found], [one.others for one in found])
    )
    return Found(whole, left_out, no_images)


def match_layout(folder: str, pattern: str = '{stem}') -> Found:
    """The pairs in `folder`, for one of the layouts trainA/ and trainB/, A/train/, or train/A/.

    The keys begin with the part. `pattern` says how the name in B comes from the name in A, as in
    '{stem}_label'.

    Raises:
        DataError: it has another layout.
    """
    sides = _sides(folder)
    if not sides:
        raise DataError(
            f'{folder} has neither trainA/ and trainB/, nor A/ and B/, nor train/A/ and train/B/: '
            'for files with several panels, use `panels`'
        )
    whole = Found([], [], [])
    for part, a, b in sides:
        found = match_names(a, b, pattern)
        named = [one._replace(key=os.path.join(part, one.key)) for one in found.pairs]
        whole = Found(
            whole.pairs + named, whole.left_out + found.left_out, whole.others + found.others
        )
    return whole


def _sides(folder):
    """[(part, folder of A, folder of B)]."""
    try:
        names = sorted(name for name in os.listdir(folder) if not find.is_ignored(name))
    except OSError as error:
        raise DataError(f'no folder {folder} ({error.strerror}): give one with images') from error
    both = [('', os.path.join(folder, 'A'), os.path.join(folder, 'B'))]
    for name in names:
        part = re.match('(.+?)[_-]?A$', name)
        if part:
            both.append((part.group(1), *(os.path.join(folder, name[:-1] + x) for x in 'AB')))
        both.append((name, *(os.path.join(folder, name, x) for x in 'AB')))
    return [sides for sides in both if all(map(os.path.isdir, sides[1:]))]


def test_as_val(found: Found) -> Tuple[Found, bool]:
    """(`found` with the images of test/ in val/ if it has no val/, whether that was so).

    An export reads val/.
    """
    parts = {one.key.partition(os.sep)[0] for one in found.pairs}
    if 'val' in parts or 'test' not in parts:
        return found, False
    pairs = [
        one._replace(key=re.sub(f'^test{os.sep}', f'val{os.sep}', one.key)) for one in found.pairs
    ]
    return found._replace(pairs=pairs), True


def _named(folder, arrays=False):
    """({name: (names as written, paths)}, a line for each other file).

    A name is the path below `folder` without extension. Names that differ only in their Unicode
    form are one: macOS writes letters and accents apart.
    """
    if not os.path.isdir(folder):
        raise DataError(f'no folder {folder}: give one with images')
    images, others = find.walk_images([folder], more=[bands.ARRAY] if arrays else ())
    others = [path for path in others if os.path.basename(path) not in record.FILENAMES]  # ours
    lines = [f'{path} {find.reason_of(path)}' for path in others]
    if not images:
        first = f' ({lines[0]})' if lines else ''
        raise DataError(f'no image in {folder}{first}: give a folder with images')
    named: Dict[str, Tuple[List[str], List[str]]] = collections.OrderedDict()
    for path, below in images:
        written = os.path.splitext(below)[0]
        names, paths = named.setdefault(unicodedata.normalize('NFC', written), ([], []))
        names.append(written)
        paths.append(path)
    return named, lines


def _form(paths):
    """The reason why names that look equal are not, in words."""
    stems = {os.path.splitext(path)[0] for path in paths}
    return ', but for its Unicode form' if len(stems) > 1 else ''


def _stem(key, pattern):
    folder, name = os.path.split(key)
    before, after = pattern.split('{stem}')
    found = re.match(f'{re.escape(before)}(.+){re.escape(after)}$', name, re.S)
    return os.path.join(folder, found.group(1)) if found else None


def parts_in(folder: str) -> List[str]:
    """The subfolders of `folder` that are parts of a dataset, if there are several; else []."""
    parts = [name for name in _PARTS if os.path.isdir(os.path.join(folder, name))]
    return parts if len(parts) > 1 else []


def leave_out_other_aspects(found: Found, processes: Optional[int] = None) -> Found:
    """`found` without pairs of two aspect ratios, and without files that are not images."""
    pairs, left_out = [], list(found.left_out)
    for one, fault in each(_aspect_fault, found.pairs, processes):
        if fault:
            left_out.append(fault)
        else:
            pairs.append(one)
    return Found(pairs, left_out, found.others)


def _aspect_fault(pair):
    try:
        (wide, high), *others = map(bands.size_of, pair.paths)
    except DataError as error:
        return str(error)
    for path, (width, height) in zip(pair.paths[1:], others):
        if abs(wide * height - width * high) > ASPECT_TOLERANCE * wide * height:
            return (
                f'{pair.paths[0]} has {wide}x{high} pixels, another aspect than the '
                f'{width}x{height} of {path}'
            )
    return None
