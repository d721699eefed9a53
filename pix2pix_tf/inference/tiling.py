"""Images of any size through a network whose input sides are multiples of 256 pixels."""

import math
from typing import Any, Callable, List, Tuple

import numpy as np

from pix2pix_tf.config import GENERATOR_SIZE, GENERATOR_STRIDE
from pix2pix_tf.system import machine
from pix2pix_tf.system.errors import UsageError

# Memory of the network, measured with 64 filters: see "Large images" in docs/predicting.md
_BYTES_PER_PIXEL = 700
_LARGEST_TILE, _SMALLEST_TILE = 1024, 256

# A tile shares a quarter of its side with its neighbor
_OVERLAP = 4

Noise = Any
# (image with sides of multiples of 256, seed, noise or None) => (output of that size, its noise)
RunTile = Callable[[np.ndarray, int, Noise], Tuple[np.ndarray, Noise]]


def compute(run: RunTile, image: np.ndarray, seed: int, tile: int) -> np.ndarray:
    """The output for `image`, [height, width, channels], at its own size and of its type.

    Sides up to `tile` pixels are padded by reflection to a multiple of 256, and the output is
    cropped. Longer sides are cut into overlapping tiles, which are blended linearly; all of them
    use the noise of the first one.

    Raises:
        UsageError: `tile` is invalid.
    """
    if not GENERATOR_SIZE.contains(tile):
        raise UsageError(f'`tile` is {tile}: it must be {GENERATOR_SIZE.words}')
    height, width = image.shape[:2]
    padding = [(0, _missing(side) if side <= tile else 0) for side in (height, width)]
    padded = np.pad(image, padding + [(0, 0)], 'reflect')
    rows, columns = (windows(side, tile) for side in padded.shape[:2])
    noise = total = None
    if len(rows) == len(columns) == 1:
        return run(padded, seed, noise)[0][:height, :width]
    for top, bottom, down in rows:
        for left, right, across in columns:
            output, noise = run(padded[top:bottom, left:right], seed, noise)
            weights = down[:, None, None] * across[None, :, None]
            if total is None:
                total = np.zeros((*padded.shape[:2], output.shape[2]), np.float32)
            total[top:bottom, left:right] += weights * output
    return np.round(total).astype(image.dtype)[:height, :width]


def _missing(side):
    return -side % GENERATOR_STRIDE


def windows(side: int, tile: int) -> List[Tuple[int, int, np.ndarray]]:
    """The tiles along a side: [(start, end, weight of each pixel)]; the weights add up to 1."""
    if side <= tile:
        return [(0, side, np.ones(side, np.float32))]
    overlap = tile // _OVERLAP
    count = math.ceil((side - overlap) / (tile - overlap))
    starts = [round(number * (side - tile) / (count - 1)) for number in range(count)]
    # A triangle over each tile, flat where no other tile overlaps. Divided by the sum of all,
    # the weights of each pixel add up to 1.
    peak = np.minimum(np.arange(tile) + 0.5, np.arange(tile)[::-1] + 0.5)
    weights = [np.minimum(peak, overlap).astype(np.float32) for _ in starts]
    weights[0][: tile // 2] = weights[-1][tile // 2 :] = overlap
    total = np.zeros(side, np.float32)
    for start, weight in zip(starts, weights):
        total[start : start + tile] += weight
    return [
        (start, start + tile, weight / total[start : start + tile])
        for start, weight in zip(starts, weights)
    ]


def default_tile() -> int:
    """The side of the largest tile, in pixels, for which half of the free memory is enough."""
    pixels = machine.free_memory() / 2 / _BYTES_PER_PIXEL
    if pixels >= _LARGEST_TILE**2:
        return _LARGEST_TILE
    return max(_SMALLEST_TILE, int(math.sqrt(pixels)) // GENERATOR_STRIDE * GENERATOR_STRIDE)
