"""The post's graph, rebuilt from its formulas with plain TensorFlow ops, for the comparison.

It follows the post where the package departs from it, including where that is slow.
"""

import glob
import os

import tensorflow.compat.v1 as tf

SCALE_SIZE, CROP_SIZE = 286, 256
NGF = NDF = 64


def load_data(path, num_threads=1):
    """(paths, inputs, targets), each a batch of one, from an endless queue ("Load Data")."""
    queue = tf.train.string_input_producer(sorted(glob.glob(os.path.join(path, '*.jpg'))))
    paths, contents = tf.WholeFileReader().read(queue)
    image = tf.image.convert_image_dtype(tf.image.decode_jpeg(contents), tf.float32)
    image.set_shape([None, None, 3])
    width = tf.shape(image)[1]
    targets, inputs = (
        _process(half, 7) for half in (image[:, : width // 2], image[:, width // 2 :])
    )
    return tf.train.batch([paths, inputs, targets], batch_size=1, num_threads=num_threads)


def _process(image, seed):
    image = tf.image.resize_images(
        image * 2 - 1, [SCALE_SIZE, SCALE_SIZE], method=tf.image.ResizeMethod.AREA
    )
    offset = tf.random_uniform([2], 0, SCALE_SIZE - CROP_SIZE + 1, seed=seed)
    offset = tf.cast(tf.floor(offset), tf.int32)
    return tf.image.crop_to_bounding_box(image, offset[0], offset[1], CROP_SIZE, CROP_SIZE)


def _filter(shape):
    return tf.get_variable('filter', shape, initializer=tf.random_normal_initializer(0, 0.02))


def _conv(x, channels, stride):
    with tf.variable_scope('conv'):
        filters = _filter([4, 4, x.shape[3], channels])
        x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        return tf.nn.conv2d(x, filters, [1, stride, stride, 1], padding='VALID')


def _deconv(x, channels):
    with tf.variable_scope('deconv'):
        batch, height, width, in_channels = x.shape.as_list()
        filters = _filter([4, 4, channels, in_channels])
        shape = [batch, 2 * height, 2 * width, channels]
        return tf.nn.conv2d_transpose(x, filters, shape, [1, 2, 2, 1], padding='SAME')


def _lrelu(x):
    return 0.6 * x + 0.4 * tf.abs(x)


def _batchnorm(x):
    with tf.variable_scope('batchnorm'):
        offset = tf.get_variable('offset', [x.shape[3]], initializer=tf.zeros_initializer())
        initializer = tf.random_normal_initializer(1.0, 0.02)
        scale = tf.get_variable('scale', [x.shape[3]], initializer=initializer)
        mean, variance = tf.nn.moments(x, axes=[0, 1, 2])
        return tf.nn.batch_normalization(x, mean, variance, offset, scale, 1e-5)


def generator(x):
    """The U-Net ("Generator")."""
    with tf.variable_scope('encoder_1'):
        layers = [_conv(x, NGF, 2)]
    for number, factor in enumerate((2, 4, 8, 8, 8, 8, 8), 2):
        with tf.variable_scope(f'encoder_{number}'):
            layers.append(_batchnorm(_conv(_lrelu(layers[-1]), NGF * factor, 2)))
    x = layers[-1]
    for number, factor in zip(range(8, 1, -1), (8, 8, 8, 8, 4, 2, 1)):
        with tf.variable_scope(f'decoder_{number}'):
            if number < 8:
                x = tf.concat([x, layers[number - 1]], axis=3)
            x = _batchnorm(_deconv(tf.nn.relu(x), NGF * factor))
            if number > 5:
                x = tf.nn.dropout(x, rate=0.5)
    with tf.variable_scope('decoder_1'):
        return tf.tanh(_deconv(tf.nn.relu(tf.concat([x, layers[0]], axis=3)), 3))


def discriminator(inputs, targets):
    """The PatchGAN ("Discriminator")."""
    with tf.variable_scope('layer_1'):
        x = _lrelu(_conv(tf.concat([inputs, targets], axis=3), NDF, 2))
    for number, (factor, stride) in enumerate(((2, 2), (4, 2), (8, 1)), 2):
        with tf.variable_scope(f'layer_{number}'):
            x = _lrelu(_batchnorm(_conv(x, NDF * factor, stride)))
    with tf.variable_scope('layer_5'):
        return tf.sigmoid(_conv(x, 1, 1))


def train_op(inputs, targets):
    """One step of both optimizers ("Loss & Optimizer")."""
    with tf.variable_scope('generator'):
        outputs = generator(inputs)
    with tf.variable_scope('discriminator'):
        real = discriminator(inputs, targets)
    with tf.variable_scope('discriminator', reuse=True):
        fake = discriminator(inputs, outputs)
    discrim_loss = tf.reduce_mean(-(tf.log(real + 1e-12) + tf.log(1 - fake + 1e-12)))
    gan_loss = tf.reduce_mean(-tf.log(fake + 1e-12))
    l1_loss = tf.reduce_mean(tf.abs(targets - outputs))
    variables = {
        name: [v for v in tf.trainable_variables() if v.name.startswith(name)]
        for name in ('discriminator', 'generator')
    }
    train = tf.train.AdamOptimizer(0.0002, 0.5).minimize(
        discrim_loss, var_list=variables['discriminator']
    )
    with tf.control_dependencies([train]):
        train = tf.train.AdamOptimizer(0.0002, 0.5).minimize(
            gan_loss + 100 * l1_loss, var_list=variables['generator']
        )
    averages = tf.train.ExponentialMovingAverage(0.99).apply([discrim_loss, gan_loss, l1_loss])
    step = tf.train.get_or_create_global_step()
    return tf.group(train, averages, tf.assign(step, step + 1))
