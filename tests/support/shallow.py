"""Networks of two layers, for tests of the code around networks: loops, saves, workers, pages.

The post's networks take seconds to build, however narrow they are. Tests with the mark
`post_networks` have them. A command has the networks of the test that starts it: a child of the
fork server calls `use`, another process imports shallow_processes/sitecustomize.py.
"""

import tensorflow.compat.v1 as tf

from pix2pix_tf import config as options
from pix2pix_tf import kernels, model
from pix2pix_tf.config import Config
from pix2pix_tf.ops import conv, deconv, dropout, lrelu

COARSE = 8  # the layers see one pixel for each 8x8 of an image, so that a step is quick


def create_generator(generator_inputs, config=Config(), seed=None):
    """The U-Net of `networks.create_generator`, with its outermost layers alone.

    [batch, height, width, input_channels] => the same with output_channels, in [-1, 1].
    """
    inp = _shrink(generator_inputs)
    with tf.variable_scope('encoder_1'):
        # About as large as batch normalization, which takes many more ops, would make them
        inner = 16 * conv(inp, config.ngf, stride=2, config=config)
    with tf.variable_scope('decoder_1'):
        if config.dropout:
            inner = dropout(inner, config.dropout, seed)
        joined = tf.nn.relu(inner)
        small = tf.tanh(deconv(joined, config.output_channels, config))
    return tf.depth_to_space(tf.tile(small, [1, 1, 1, COARSE**2]), COARSE)


def create_discriminator(discrim_inputs, discrim_targets, config=Config()):
    """The PatchGAN of `networks.create_discriminator`, with its first and last layer alone.

    [batch, height, width, any] twice => [batch, height / 16 - 1, width / 16 - 1, 1], in [0, 1].
    """
    inp = tf.concat([_shrink(discrim_inputs), _shrink(discrim_targets)], axis=3)
    with tf.variable_scope('layer_1'):
        first = lrelu(conv(inp, config.ndf, 2, config), config.leak)
    with tf.variable_scope('layer_5'):
        return tf.sigmoid(conv(first, 1, 1, config))


def _shrink(images):
    kernels.use_plain_ops()  # far fewer ops than matrix products need
    return tf.nn.avg_pool(images, [1, COARSE, COARSE, 1], [1, COARSE, COARSE, 1], 'VALID')


# The last is the number of pixels of which the sides of images must be a multiple.
ORIGINAL = model.create_generator, model.create_discriminator, options.GENERATOR_STRIDE
SHALLOW = create_generator, create_discriminator, 64


def use(wanted: bool = True) -> None:
    """Lets this process build these networks, or those of the post if not `wanted`."""
    made = SHALLOW if wanted else ORIGINAL
    model.create_generator, model.create_discriminator, options.GENERATOR_STRIDE = made


def in_use() -> bool:
    """Whether this process builds these networks."""
    return model.create_generator is create_generator
