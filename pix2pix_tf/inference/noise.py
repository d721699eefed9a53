"""Seeds of the dropout noise of an image: from a number and its pixels, not its batch or file."""

import random
import typing

import tensorflow.compat.v1 as tf


def random_seed() -> int:
    """A random seed, as `image_seeds` takes it."""
    return random.SystemRandom().randrange(2**31)


def image_seeds(inputs: tf.Tensor, seed: typing.Any, samples: int = 1) -> tf.Tensor:
    """Seeds for the noise of each image, which depend only on `seed` and its pixels.

    [batch, height, width, 3] in [-1, 1] => [batch * samples, 2] int64, the samples of an image one
    after the other; `seed`, a number or a scalar int64 tensor, is from 0 to 2**31 - 1. The last
    four bits are free: the layers use them.
    """
    image_part = repeat(_checksum(inputs) * 16, samples)
    sample_part = tf.range(samples, dtype=tf.int64) * 2**31 + tf.cast(seed, tf.int64)
    sample_part = tf.tile(sample_part, tf.shape(inputs)[:1])
    return tf.stack([sample_part, image_part], axis=1)


def _checksum(inputs):
    """[batch, height, width, 3] in [-1, 1] => [batch] int64, the same wherever it is computed.

    Every pixel value times its place, summed. In float64 these whole numbers are exact.
    """
    values = tf.reshape(tf.round((inputs + 1) * 127.5), [tf.shape(inputs)[0], -1])
    places = tf.floormod(tf.range(tf.shape(values)[1]), 65521) + 1  # a prime: no row repeats one
    weighted = tf.cast(values, tf.float64) * tf.cast(places, tf.float64)
    return tf.cast(tf.reduce_sum(weighted, axis=1), tf.int64)


def repeat(tensor: tf.Tensor, times: int) -> tf.Tensor:
    """Repeats every element along the first axis: [n, ...] => [n * times, ...]."""
    if times == 1:
        return tensor
    shape = tensor.get_shape().as_list()[1:]
    copies = tf.tile(tensor[:, None], [1, times] + [1] * len(shape))
    return tf.reshape(copies, [-1] + shape)
