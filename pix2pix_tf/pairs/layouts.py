"""The folders of other projects, as sources of pairs."""

import os
import re
import typing

from pix2pix_tf.pairs import match
from pix2pix_tf.pairs.match import Found
from pix2pix_tf.system.errors import DataError


def find_pairs(folder: str, pattern: str = '{stem}') -> Found:
    """The pairs in `folder`, for one of the layouts trainA/ and trainB/, A/train/, or train/A/.

    The keys begin with the part. `pattern` is that of `matching.find_pairs`.

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
        found = match.find_pairs(a, b, pattern)
        named = [one._replace(key=os.path.join(part, one.key)) for one in found.sources]
        whole = Found(
            whole.sources + named, whole.left_out + found.left_out, whole.others + found.others
        )
    return whole


def _sides(folder):
    """[(part, folder of A, folder of B)]."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise DataError(f'no folder {folder} ({error.strerror}): give one with images') from error
    both = [('', os.path.join(folder, 'A'), os.path.join(folder, 'B'))]
    for name in names:
        part = re.match('(.+?)[_-]?A$', name)
        if part:
            both.append((part.group(1), *(os.path.join(folder, name[:-1] + x) for x in 'AB')))
        both.append((name, *(os.path.join(folder, name, x) for x in 'AB')))
    return [sides for sides in both if all(map(os.path.isdir, sides[1:]))]


def as_parts(found: Found) -> typing.Tuple[Found, bool]:
    """`found` with its test images as val/ if it has no val/, and whether that was so.

    An export reads val/.
    """
    parts = {one.key.partition(os.sep)[0] for one in found.sources}
    if 'val' in parts or 'test' not in parts:
        return found, False
    sources = [
        one._replace(key=re.sub(f'^test{os.sep}', f'val{os.sep}', one.key)) for one in found.sources
    ]
    return found._replace(sources=sources), True
