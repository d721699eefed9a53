"""Random weights in the place of those of LPIPS, and pairs of images to compare."""

import numpy as np

from pix2pix_tf.evaluation.lpips_weights import SHAPES

# Of PyTorch's lpips 0.1.4 for `compared_pairs`: with `random_weights`, and with its own weights
REFERENCE_OF_RANDOM_WEIGHTS = (0.1360482, 0.1474381, 0.1386695)
REFERENCE = (0.0933543, 0.1462073, 0.1217836)


def random_weights():
    """{name: array} as in the file of the weights."""
    rng = np.random.RandomState(30)
    arrays = {}
    for name, shape in SHAPES.items():
        values = rng.normal(size=shape)
        if name.startswith('filter'):
            values /= np.sqrt(np.prod(shape[:3]))  # the outputs are as large as the inputs
        arrays[name] = np.float32(np.abs(values) if name.startswith('linear') else values)
    return arrays


def write_random_weights(path):
    np.savez(str(path), **random_weights())
    return str(path)


def compared_pairs():
    """Three pairs (output, target): blocks of colors, with and without noise."""
    rng = np.random.RandomState(31)
    for height, width in ((64, 64), (96, 131), (77, 160)):
        blocks = rng.randint(0, 256, (height // 8 + 1, width // 8 + 1, 3))
        target = blocks.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
        output = np.clip(target + rng.randint(-60, 61, target.shape), 0, 255)
        yield output.astype(np.uint8), target.astype(np.uint8)
