"""Images that occur twice: the same file in two folders, and near-duplicates by their pixels."""

import filecmp
import os
from typing import Dict, Iterator, List, Sequence, Tuple

import numpy as np
from PIL import Image

from pix2pix_tf.pairs import find
from pix2pix_tf.pairs.inputs import load_opencv
from pix2pix_tf.system.console import count
from pix2pix_tf.system.errors import DataError

SIDE = 64  # pixels of the image that is hashed
LOW = 16  # of its lowest frequencies in each direction: 256 bits

# Bits by which hashes differ. Those of unrelated images differ by 128 of 256 on average, with a
# standard deviation of 8; those of copies in another size, quality or brightness by a tenth or so.
NEAR = 32  # at most, for images that must stay together
COPY = (
    24  # at most, for images that are reported as copies: fewer, so that `make` never splits them
)

_BLOCK = 64  # hashes that are compared with all the others at a time


def perceptual_hash(image: Image.Image) -> bytes:
    """32 bytes, of which copies of an image in another size or quality share most bits.

    The signs of the lowest frequencies, around their median (pHash, as in the ImageHash package).
    Images without detail, such as a blurred sky, share their bits only if they are equal.
    """
    cv2 = load_opencv()
    gray = image.convert('L').resize((SIDE, SIDE), Image.LANCZOS)
    low = cv2.dct(np.asarray(gray, np.float32))[:LOW, :LOW]
    return np.packbits(low > np.median(low)).tobytes()


def near_pairs(
    hashes: Sequence[bytes], others: Sequence[bytes], distance: int
) -> Iterator[Tuple[int, int]]:
    """(index in `hashes`, index in `others`) of all that differ in at most `distance` bits."""
    cv2 = load_opencv()
    if not hashes or not others:
        return
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING)
    train = _as_rows(others)
    for start in range(0, len(hashes), _BLOCK):
        query = _as_rows(hashes[start : start + _BLOCK])
        # OpenCV leaves out hashes at exactly the distance
        for row in matcher.radiusMatch(query, train, distance + 0.5):
            for match in row:
                yield start + match.queryIdx, match.trainIdx


def _as_rows(hashes):
    return np.frombuffer(b''.join(hashes), np.uint8).reshape(len(hashes), -1)


def describe_shared(paths: Sequence[str], val_data: str) -> List[str]:
    """A line if images in the folder `val_data` have the same bytes as one of `paths`; else none.

    Files of different sizes are not read, so that this takes no time. `pix2pix-pairs check` also
    finds near-duplicates.
    """
    try:
        others, _ = find.find_images(val_data)
    except DataError:
        return []
    by_size: Dict[int, List[str]] = {}
    for path in paths:
        by_size.setdefault(_size(path), []).append(path)
    shared = [
        (path, one) for path in others for one in by_size.get(_size(path), []) if _equal(path, one)
    ]
    if not shared:
        return []
    number = len({path for path, _ in shared})
    verb = 'is' if number == 1 else 'are'
    return [
        f'{number} of {count(len(others), "image")} in {val_data} {verb} also in '
        f'the training set ({shared[0][0]} is {shared[0][1]}): metrics will be too optimistic'
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
