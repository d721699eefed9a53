"""The U-Net generator and the PatchGAN discriminator (sections "Generator" and "Discriminator").

The shape comments are for the post's 256x256 pixels, with an RGB image as input and as output.
"""

from functools import partial
from typing import Optional

import tensorflow.compat.v1 as tf

from pix2pix_tf import ops
from pix2pix_tf.config import GENERATOR_SIZE, Config
from pix2pix_tf.ops import dropout, lrelu
from pix2pix_tf.system.errors import UsageError


def create_generator(
    generator_inputs: tf.Tensor,
    config: Config = Config(),
    seed: Optional[tf.Tensor] = None,
) -> tf.Tensor:
    """The encoder-decoder with skip connections.

    [batch, height, width, input_channels] in [-1, 1] => the same range, with output_channels.
    Height and width must be known while the graph is built. With a `seed` ([2] int64, from
    `noise.image_seeds`), dropout depends on it alone.

    Raises:
        UsageError: the height or the width is not a multiple of 256.
    """
    for size in generator_inputs.get_shape().as_list()[1:3]:
        if not GENERATOR_SIZE.contains(size):
            raise UsageError(f'a side of the input is {size}: it must be {GENERATOR_SIZE.words}')
    conv, deconv = partial(ops.conv, config=config), partial(ops.deconv, config=config)
    batchnorm = partial(ops.batchnorm, config=config)
    ngf = config.ngf
    layers = []

    # encoder 1: [batch, 256, 256, 3] => [batch, 128, 128, ngf]
    with tf.variable_scope('encoder_1'):
        output = conv(generator_inputs, ngf, stride=2)
        layers.append(output)

    layer_specs = [
        ngf * 2,  # encoder 2: [batch, 128, 128, ngf] => [batch, 64, 64, ngf * 2]
        ngf * 4,  # encoder 3: [batch, 64, 64, ngf * 2] => [batch, 32, 32, ngf * 4]
        ngf * 8,  # encoder 4: [batch, 32, 32, ngf * 4] => [batch, 16, 16, ngf * 8]
        ngf * 8,  # encoder 5: [batch, 16, 16, ngf * 8] => [batch, 8, 8, ngf * 8]
        ngf * 8,  # encoder 6: [batch, 8, 8, ngf * 8] => [batch, 4, 4, ngf * 8]
        ngf * 8,  # encoder 7: [batch, 4, 4, ngf * 8] => [batch, 2, 2, ngf * 8]
        ngf * 8,  # encoder 8: [batch, 2, 2, ngf * 8] => [batch, 1, 1, ngf * 8]
    ]
    for out_channels in layer_specs:
        with tf.variable_scope(f'encoder_{len(layers) + 1}'):
            rectified = lrelu(layers[-1], config.leak)
            convolved = conv(rectified, out_channels, stride=2)
            output = batchnorm(convolved)
            layers.append(output)

    # (channels, dropout probability)
    layer_specs = [
        (ngf * 8, config.dropout),  # decoder 8: [batch, 1, 1, ngf * 8] => [batch, 2, 2, ngf * 8]
        (ngf * 8, config.dropout),  # decoder 7: [batch, 2, 2, ngf * 16] => [batch, 4, 4, ngf * 8]
        (ngf * 8, config.dropout),  # decoder 6: [batch, 4, 4, ngf * 16] => [batch, 8, 8, ngf * 8]
        (ngf * 8, 0.0),  # decoder 5: [batch, 8, 8, ngf * 16] => [batch, 16, 16, ngf * 8]
        (ngf * 4, 0.0),  # decoder 4: [batch, 16, 16, ngf * 16] => [batch, 32, 32, ngf * 4]
        (ngf * 2, 0.0),  # decoder 3: [batch, 32, 32, ngf * 8] => [batch, 64, 64, ngf * 2]
        (ngf, 0.0),  # decoder 2: [batch, 64, 64, ngf * 4] => [batch, 128, 128, ngf]
    ]
    num_encoder_layers = len(layers)
    for decoder_layer, (out_channels, rate) in enumerate(layer_specs):
        skip_layer = num_encoder_layers - decoder_layer - 1
        with tf.variable_scope(f'decoder_{skip_layer + 1}'):
            if decoder_layer == 0:
                inp = layers[-1]  # the innermost layer has no skip connection
            else:
                inp = tf.concat([layers[-1], layers[skip_layer]], axis=3)
            rectified = tf.nn.relu(inp)
            output = deconv(rectified, out_channels)
            output = batchnorm(output)
            if rate > 0.0:
                # Adding the layer's number gives every layer of an image its own noise
                layer_seed = None if seed is None else seed + [0, decoder_layer]
                output = dropout(output, rate, layer_seed)
            layers.append(output)

    # decoder 1: [batch, 128, 128, ngf * 2] => [batch, 256, 256, 3]
    with tf.variable_scope('decoder_1'):
        inp = tf.concat([layers[-1], layers[0]], axis=3)
        rectified = tf.nn.relu(inp)
        output = deconv(rectified, config.output_channels)
        return tf.tanh(output)


def create_discriminator(
    discrim_inputs: tf.Tensor, discrim_targets: tf.Tensor, config: Config = Config()
) -> tf.Tensor:
    """Rates how real each 70x70 patch of `discrim_targets` looks, given `discrim_inputs`.

    Both [batch, height, width, channels] in [-1, 1], each with its own number of channels =>
    [batch, height / 8 - 2, width / 8 - 2, 1], the probability of "real" in (0, 1).
    """
    conv, batchnorm = partial(ops.conv, config=config), partial(ops.batchnorm, config=config)
    n_layers = 3
    ndf = config.ndf
    layers = []

    # 2x [batch, height, width, 3] => [batch, height, width, 6]
    inp = tf.concat([discrim_inputs, discrim_targets], axis=3)

    # layer 1: [batch, 256, 256, 6] => [batch, 128, 128, ndf]
    with tf.variable_scope('layer_1'):
        convolved = conv(inp, ndf, stride=2)
        layers.append(lrelu(convolved, config.leak))

    # layer 2: [batch, 128, 128, ndf] => [batch, 64, 64, ndf * 2]
    # layer 3: [batch, 64, 64, ndf * 2] => [batch, 32, 32, ndf * 4]
    # layer 4: [batch, 32, 32, ndf * 4] => [batch, 31, 31, ndf * 8]
    for i in range(n_layers):
        with tf.variable_scope(f'layer_{len(layers) + 1}'):
            out_channels = ndf * min(2 ** (i + 1), 8)
            stride = 1 if i == n_layers - 1 else 2
            convolved = conv(layers[-1], out_channels, stride=stride)
            normalized = batchnorm(convolved)
            layers.append(lrelu(normalized, config.leak))

    # layer 5: [batch, 31, 31, ndf * 8] => [batch, 30, 30, 1]
    with tf.variable_scope(f'layer_{len(layers) + 1}'):
        convolved = conv(layers[-1], out_channels=1, stride=1)
        return tf.sigmoid(convolved)
