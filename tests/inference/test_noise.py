import numpy as np
import tensorflow.compat.v1 as tf
from support.evaluating import evaluate

from pix2pix_tf.inference import noise


def test_image_seeds_depend_on_pixels_seed_and_sample(graph):
    rng = np.random.RandomState(1)
    first, second = (rng.randint(0, 256, (256, 256, 3)) for _ in range(2))
    third = second.copy()
    third[200, 7, 1] ^= 1  # one value of one pixel
    images = tf.constant(np.stack([first, first, second, third]) / 127.5 - 1, tf.float32)
    got = evaluate(noise.image_seeds(images, 7, samples=2))
    assert got.shape == (8, 2) and got.dtype == np.int64
    assert got[0].tolist() == got[2].tolist()  # whatever their files are called
    assert len({tuple(seed) for seed in got[[0, 1, 4, 5, 6, 7]]}) == 6
    assert (got[:, 1] % 16 == 0).all()
    single = evaluate(noise.image_seeds(images, 7))
    np.testing.assert_array_equal(single, got[::2])
    assert (evaluate(noise.image_seeds(images, 8))[:, 0] == single[:, 0] + 1).all()
    exact = (first.ravel() * (np.arange(first.size) % 65521 + 1)).sum() * 16
    assert single[0].tolist() == [7, exact]  # on every machine and runtime


def test_repeat_keeps_the_copies_together(graph):
    got = evaluate(noise.repeat(tf.constant([[1, 2], [3, 4]]), 3))
    assert got.tolist() == [[1, 2]] * 3 + [[3, 4]] * 3
