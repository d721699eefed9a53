"""The post's graph, rebuilt from its formulas with plain TensorFlow ops.

It follows the post where the package departs from it, including where that is slow. `bench/`
compares its speed with the package's, tests/test_parity.py its numbers.
"""

import glob
import os
import typing

import tensorflow.compat.v1 as tf

SCALE_SIZE, CROP_SIZE = 286, 256


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


def _variable(name, shape, initializer):
    return tf.get_variable(name, shape, dtype=tf.float32, initializer=initializer)


def _filter(shape):
    return _variable('filter', shape, tf.random_normal_initializer(0, 0.02))


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
        offset = _variable('offset', [x.shape[3]], tf.zeros_initializer())
        scale = _variable('scale', [x.shape[3]], tf.random_normal_initializer(1.0, 0.02))
        mean, variance = tf.nn.moments(x, axes=[0, 1, 2])
        return tf.nn.batch_normalization(x, mean, variance, offset, scale, 1e-5)


def generator(x, ngf=64, rate=0.5):
    """The U-Net ("Generator")."""
    with tf.variable_scope('encoder_1'):
        layers = [_conv(x, ngf, 2)]
    for number, factor in enumerate((2, 4, 8, 8, 8, 8, 8), 2):
        with tf.variable_scope(f'encoder_{number}'):
            layers.append(_batchnorm(_conv(_lrelu(layers[-1]), ngf * factor, 2)))
    x = layers[-1]
    for number, factor in zip(range(8, 1, -1), (8, 8, 8, 8, 4, 2, 1)):
        with tf.variable_scope(f'decoder_{number}'):
            if number < 8:
                x = tf.concat([x, layers[number - 1]], axis=3)
            x = _batchnorm(_deconv(tf.nn.relu(x), ngf * factor))
            if number > 5 and rate:
                x = tf.nn.dropout(x, rate=rate)
    with tf.variable_scope('decoder_1'):
        return tf.tanh(_deconv(tf.nn.relu(tf.concat([x, layers[0]], axis=3)), 3))


def discriminator(inputs, targets, ndf=64):
    """The PatchGAN ("Discriminator")."""
    with tf.variable_scope('layer_1'):
        x = _lrelu(_conv(tf.concat([inputs, targets], axis=3), ndf, 2))
    for number, (factor, stride) in enumerate(((2, 2), (4, 2), (8, 1)), 2):
        with tf.variable_scope(f'layer_{number}'):
            x = _lrelu(_batchnorm(_conv(x, ndf * factor, stride)))
    with tf.variable_scope('layer_5'):
        return tf.sigmoid(_conv(x, 1, 1))


class Step(typing.NamedTuple):
    """One step of both optimizers."""

    outputs: tf.Tensor
    train_op: tf.Operation
    discrim_loss: tf.Tensor
    gen_loss_gan: tf.Tensor
    gen_loss_l1: tf.Tensor
    gradients: typing.Dict[str, tf.Tensor]  # {trainable variable: as Adam applies it}


def build_model(inputs, targets, ngf=64, ndf=64, rate=0.5):
    """The Step on a batch ("Loss & Optimizer"); `rate` is that of dropout."""
    with tf.variable_scope('generator'):
        outputs = generator(inputs, ngf, rate)
    with tf.variable_scope('discriminator'):
        real = discriminator(inputs, targets, ndf)
    with tf.variable_scope('discriminator', reuse=True):
        fake = discriminator(inputs, outputs, ndf)
    discrim_loss = tf.reduce_mean(-(tf.log(real + 1e-12) + tf.log(1 - fake + 1e-12)))
    gan_loss = tf.reduce_mean(-tf.log(fake + 1e-12))
    l1_loss = tf.reduce_mean(tf.abs(targets - outputs))
    gradients = {}

    def minimize(loss, scope):
        variables = [v for v in tf.trainable_variables() if v.name.startswith(scope)]
        adam = tf.train.AdamOptimizer(0.0002, 0.5)
        grads_and_vars = adam.compute_gradients(loss, var_list=variables)
        gradients.update((variable.op.name, grad) for grad, variable in grads_and_vars)
        return adam.apply_gradients(grads_and_vars)

    train = minimize(discrim_loss, 'discriminator')
    with tf.control_dependencies([train]):
        train = minimize(gan_loss * 1.0 + l1_loss * 100.0, 'generator')
    averages = tf.train.ExponentialMovingAverage(0.99).apply([discrim_loss, gan_loss, l1_loss])
    step = tf.train.get_or_create_global_step()
    train_op = tf.group(train, averages, tf.assign(step, step + 1))
    return Step(outputs, train_op, discrim_loss, gan_loss, l1_loss, gradients)
