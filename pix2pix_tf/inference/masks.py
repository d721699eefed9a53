"""The dropout noise as masks, the inputs of an ONNX file: their shapes, and their values by numpy.

A seed gives other masks here than in TensorFlow's graph (`inference.noise`), which draws other
numbers.
"""

from typing import Dict, List, Tuple

import numpy as np

from pix2pix_tf.config import Size

MASKED = (8, 7, 6)  # decoders with dropout, in the order of the data
NAMES = tuple(f'mask_{decoder}' for decoder in MASKED)  # of the inputs of an ONNX file


def shapes(size: Size, ngf: int) -> Dict[str, Tuple[int, int, int]]:
    """{name: (height, width, channels)} of the masks for images of `size`, (height, width).

    A mask has the shape of what its decoder computes.
    """
    strides = {name: 2 ** (decoder - 1) for name, decoder in zip(NAMES, MASKED)}
    return {n: (size[0] // stride, size[1] // stride, 8 * ngf) for n, stride in strides.items()}


def image_seed(inputs: np.ndarray, seed: int) -> List[int]:
    """Numbers for `draw` that depend only on `seed` and on an image.

    `inputs` is [height, width, 3] in [-1, 1], and `seed` any number from 0 to 2**64 - 1.
    """
    values = np.round((inputs.astype(np.float64) + 1) * 127.5).ravel()
    # The modulus is a prime, so that no two rows of an image have the same positions
    positions = np.arange(values.size) % 65521 + 1
    return [*_halves(seed), *_halves(int(values @ positions))]


def _halves(number):
    return [number % 2**32, number >> 32]


def draw(seed: List[int], size: Size, ngf: int, rate: float) -> Dict[str, np.ndarray]:
    """{name: mask} for one image of `size`, (height, width): [1, *shape] float32.

    The values are 0 with the probability `rate`, and else 1 / (1 - `rate`).
    """
    rng = np.random.RandomState(seed)  # its numbers are the same in every version of numpy
    masks = {}
    for name, shape in shapes(size, ngf).items():
        kept = rng.random_sample((1, *shape)) >= rate
        masks[name] = kept.astype(np.float32) / np.float32(1 - rate)
    return masks
