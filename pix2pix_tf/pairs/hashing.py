"""Near-duplicates: perceptual hashes of images, and which of them are close."""

import typing

import numpy as np
from PIL import Image

from pix2pix_tf.pairs import opencv

SIDE = 64  # pixels of the image that is hashed
LOW = 16  # of its lowest frequencies in each direction: 256 bits

# Bits by which hashes differ. Copies of a facade in another size, quality or brightness: at most 22
# of 256; two different facades of the 506 in the dataset: at least 58.
NEAR = 32  # at most, for images that must stay together
COPY = 24  # at most, for what is reported as a copy: fewer, so that no split parts two copies

_BLOCK = 64  # hashes that are compared with all the others at a time


def perceptual_hash(image: Image.Image) -> bytes:
    """32 bytes, of which copies of an image in another size or quality share most bits.

    The signs of the lowest frequencies, around their median (pHash, as in the ImageHash package).
    Images without detail, such as a blurred sky, share their bits only if they are equal.
    """
    cv2 = opencv.load()
    gray = image.convert('L').resize((SIDE, SIDE), Image.LANCZOS)
    low = cv2.dct(np.asarray(gray, np.float32))[:LOW, :LOW]
    return np.packbits(low > np.median(low)).tobytes()


def near_pairs(
    hashes: typing.Sequence[bytes], others: typing.Sequence[bytes], distance: int
) -> typing.Iterator[typing.Tuple[int, int]]:
    """(index in `hashes`, index in `others`) of all that differ in at most `distance` bits."""
    cv2 = opencv.load()
    if not hashes or not others:
        return
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING)
    train = _as_rows(others)
    for start in range(0, len(hashes), _BLOCK):
        query = _as_rows(hashes[start : start + _BLOCK])
        # OpenCV leaves out what is exactly at the distance
        for row in matcher.radiusMatch(query, train, distance + 0.5):
            for match in row:
                yield start + match.queryIdx, match.trainIdx


def _as_rows(hashes):
    return np.frombuffer(b''.join(hashes), np.uint8).reshape(len(hashes), -1)
