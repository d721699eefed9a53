"""The post's layers, each in its own variable scope (section "Some Helper Functions")."""

from typing import Optional, Sequence

import tensorflow.compat.v1 as tf

from pix2pix_tf import kernels, session
from pix2pix_tf.config import Config
from pix2pix_tf.system import compat


def conv(
    batch_input: tf.Tensor, out_channels: int, stride: int, config: Config = Config()
) -> tf.Tensor:
    """Convolution, 4x4, padded by one pixel of zeros on each side.

    [batch, height, width, in] => [batch, rows, columns, out_channels]: half of height and width at
    stride 2, one pixel less at stride 1.

    Raises:
        ValueError: the stride is neither 1 nor 2, or a side is odd at stride 2.
    """
    with tf.variable_scope('conv'):
        in_channels = batch_input.get_shape()[3]
        conv_filter = tf.get_variable(
            'filter',
            [4, 4, in_channels, out_channels],
            dtype=tf.float32,
            initializer=tf.random_normal_initializer(0, config.init_stddev),
        )
        low_precision = session.precision(config) != 'float32'
        return kernels.conv2d(batch_input, conv_filter, stride, low_precision)


def deconv(batch_input: tf.Tensor, out_channels: int, config: Config = Config()) -> tf.Tensor:
    """Transposed convolution, 4x4, stride 2.

    [batch, height, width, in] => [batch, height * 2, width * 2, out_channels]. The batch size may
    be unknown while the graph is built; height and width must be known.
    """
    with tf.variable_scope('deconv'):
        in_channels = batch_input.get_shape()[3]
        deconv_filter = tf.get_variable(
            'filter',
            [4, 4, out_channels, in_channels],
            dtype=tf.float32,
            initializer=tf.random_normal_initializer(0, config.init_stddev),
        )
        return kernels.conv2d_transpose(batch_input, deconv_filter)


def lrelu(x: tf.Tensor, a: float) -> tf.Tensor:
    """Leaky ReLU: x where x >= 0, otherwise a * x; any shape.

    The post writes it as (1 + a) / 2 * x + (1 - a) / 2 * |x|. One op instead of five saves time.
    The gradients differ only at exactly x = 0, where the post's is the mean of both slopes.
    """
    return tf.nn.leaky_relu(x, alpha=a)


def batchnorm(inp: tf.Tensor, config: Config = Config()) -> tf.Tensor:
    """Batch normalization over batch, height and width, with a trained offset and scale.

    [batch, height, width, channels] => the same shape. Always uses the statistics of the current
    batch, during and after training (Ioffe and Szegedy, 2015, algorithm 1).
    """
    with tf.variable_scope('batchnorm'):
        channels = inp.get_shape()[3]
        offset = tf.get_variable(
            'offset', [channels], dtype=tf.float32, initializer=tf.zeros_initializer()
        )
        scale = tf.get_variable(
            'scale',
            [channels],
            dtype=tf.float32,
            initializer=tf.random_normal_initializer(1.0, config.init_stddev),
        )
        return kernels.normalize(inp, offset, scale, config.variance_epsilon)


def dropout(x: tf.Tensor, rate: float, seed: Optional[tf.Tensor] = None) -> tf.Tensor:
    """Sets each value to 0 with probability `rate`, and scales the rest by 1 / (1 - rate).

    Any shape that is known while the graph is built => the same shape. With a `seed` ([2] int64),
    the values that are dropped depend on the seed alone, not on earlier draws.
    """
    if seed is None:
        return tf.nn.dropout(x, rate=rate)
    kept = kept_values(x.get_shape().as_list(), rate, seed)
    return tf.where(kept, x / (1 - rate), tf.zeros_like(x))


def kept_values(shape: Sequence[int], rate: float, seed: tf.Tensor) -> tf.Tensor:
    """Which values `dropout` keeps with a `seed` ([2] int64): booleans of `shape`."""
    return compat.stateless_uniform(shape, seed) >= rate
