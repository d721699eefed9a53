"""The post's layers, each in a variable scope of its own (section "Some Helper Functions")."""

import tensorflow.compat.v1 as tf

from pix2pix_tf import kernels
from pix2pix_tf.config import Config


def conv(batch_input, out_channels, stride, config=Config()):
    """Convolution, 4x4, padded by one pixel of zeros.

    [batch, height, width, in] => [batch, (height - 2) // stride + 1, ..., out_channels], which is
    half the height at stride 2 and one pixel less at stride 1.
    """
    with tf.variable_scope('conv'):
        in_channels = batch_input.get_shape()[3]
        conv_filter = tf.get_variable(
            'filter',
            [4, 4, in_channels, out_channels],
            dtype=tf.float32,
            initializer=tf.random_normal_initializer(0, config.init_stddev),
        )
        return kernels.conv2d(batch_input, conv_filter, stride)


def deconv(batch_input, out_channels, config=Config()):
    """Transposed convolution, 4x4, stride 2.

    [batch, height, width, in] => [batch, height * 2, width * 2, out_channels]; the batch size may
    be unknown while the graph is built, height and width may not.
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


def lrelu(x, a):
    """Leaky ReLU: x where x >= 0, a * x below; any shape.

    The post writes it as (1 + a) / 2 * x + (1 - a) / 2 * |x|. One op in place of five saves time;
    the slopes differ only at x = 0 exactly, where the post's gradient is the mean of both.
    """
    return tf.nn.leaky_relu(x, alpha=a)


def batchnorm(inp, config=Config()):
    """Batch normalization over batch, height and width, with a trained offset and scale.

    [batch, height, width, channels] => the same shape. Always by the statistics of the batch at
    hand, in training and after it (Ioffe and Szegedy, 2015, algorithm 1).
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
        mean, variance = tf.nn.moments(inp, axes=[0, 1, 2])
        return tf.nn.batch_normalization(
            inp, mean, variance, offset, scale, variance_epsilon=config.variance_epsilon
        )


def dropout(x, rate, seed=None):
    """Sets each value to 0 with probability `rate`, and scales the rest by 1 / (1 - rate).

    Any shape that is known while the graph is built => the same shape. With `seed` ([2] int64), it
    depends on that alone what is dropped, not on what was drawn before.
    """
    if seed is None:
        return tf.nn.dropout(x, rate=rate)
    drawn = tf.random.stateless_uniform(x.get_shape(), seed)
    return tf.where(drawn >= rate, x / (1 - rate), tf.zeros_like(x))
