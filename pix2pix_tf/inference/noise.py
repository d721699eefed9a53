"""Seeds of the dropout noise of an image: from a number and its pixels, not its batch or file."""

from typing import Any

import tensorflow.compat.v1 as tf


def image_seeds(inputs: tf.Tensor, seed: Any, samples: int = 1) -> tf.Tensor:
    """Seeds for the noise of each image, which depend only on `seed` and the pixels of that image.

    [batch, height, width, 3] in [-1, 1] => [batch * samples, 2] int64, the samples of an image side
    by side. `seed`, a number or a scalar int64 tensor, is from 0 to 2**31 - 1. The last four bits
    of the second column are 0: the layers number themselves there.
    """
    image_part = repeat(_checksum(inputs) * 16, samples)
    sample_part = tf.range(samples, dtype=tf.int64) * 2**31 + tf.cast(seed, tf.int64)
    sample_part = tf.tile(sample_part, tf.shape(inputs)[:1])
    return tf.stack([sample_part, image_part], axis=1)


def _checksum(inputs):
    """[batch, height, width, 3] in [-1, 1] => [batch] int64, the same on every machine.

    It is the sum of all pixel values, each times its position. These whole numbers are exact in
    float64.
    """
    values = tf.reshape(tf.round((inputs + 1) * 127.5), [tf.shape(inputs)[0], -1])
    # The modulus is a prime, so that no two rows of an image have the same positions
    positions = tf.floormod(tf.range(tf.shape(values)[1]), 65521) + 1
    weighted = tf.cast(values, tf.float64) * tf.cast(positions, tf.float64)
    return tf.cast(tf.reduce_sum(weighted, axis=1), tf.int64)


def repeat(tensor: tf.Tensor, times: int) -> tf.Tensor:
    """Repeats every element along the first axis: [n, ...] => [n * times, ...]."""
    if times == 1:
        return tensor
    shape = tensor.get_shape().as_list()[1:]
    copies = tf.tile(tensor[:, None], [1, times] + [1] * len(shape))
    return tf.reshape(copies, [-1] + shape)
