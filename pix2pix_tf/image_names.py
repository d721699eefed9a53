"""The names of image files, which pages and predictions need without TensorFlow."""

import collections
import os
from typing import Dict, List, Sequence

from pix2pix_tf.system import files
from pix2pix_tf.system.errors import DataError

KINDS = ('inputs', 'outputs', 'targets')


def without_extensions(names: Sequence[str]) -> List[str]:
    """File names, without their extensions where that leaves all of them different.

    The extension stays where two names would become equal (1.jpg and 1.png), and where a name would
    become that of another file (1.jpg.png beside 1.jpg).
    """
    stems = [os.path.splitext(name)[0] for name in names]
    files_with = collections.Counter(stems)
    taken = set(names)
    return [
        stem if files_with[stem] == 1 and stem not in taken else name
        for stem, name in zip(stems, names)
    ]


def check_names(names: Dict[str, str], suffix: str) -> None:
    """Checks that `{name}{suffix}` can be the name of a file for all `names`, {path: name}.

    Raises:
        DataError: a name is too long; the message names its path.
    """
    for path, name in names.items():
        excess = len(os.fsencode(name + suffix)) - files.MAX_NAME_BYTES
        if excess > 0:
            raise DataError(
                f'{path} has too long a name for {suffix}: shorten it by {excess} bytes'
            )


def filename(name: str, kind: str, sample: int = 1) -> str:
    """The file name of an image of a pair; from sample 2 on, it ends in the sample number."""
    return f'{name}-{kind}.png' if sample == 1 else f'{name}-{kind}-{sample}.png'
