"""Files of a training that are in its validation, too. `pix2pix-pairs check` looks closer."""

import filecmp
import os
import typing

from pix2pix_tf.pairs import find
from pix2pix_tf.system.errors import DataError


def notes(paths: typing.Sequence[str], val_data: str) -> typing.List[str]:
    """A line if images in the folder `val_data` have the same bytes as one of `paths`; else none.

    Files of different sizes are not read, so that this takes no time.
    """
    try:
        others, _ = find.find_images(val_data)
    except DataError:
        return []
    by_size: typing.Dict[int, typing.List[str]] = {}
    for path in paths:
        by_size.setdefault(_size(path), []).append(path)
    shared = [
        (path, one) for path in others for one in by_size.get(_size(path), []) if _equal(path, one)
    ]
    if not shared:
        return []
    return [
        f'{len({path for path, _ in shared})} of {len(others)} images in {val_data} are trained '
        f'on, too ({shared[0][0]} is {shared[0][1]}): their metrics look better than they are'
    ]


def _size(path):
    try:
        return os.path.getsize(path)
    except OSError:
        return -1


def _equal(path, other):
    try:
        return filecmp.cmp(path, other, shallow=False)
    except OSError:
        return False
