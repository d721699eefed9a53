"""The graph of the generator alone, in TensorFlow's plain ops, for other machines."""

from typing import NamedTuple, Optional

import tensorflow.compat.v1 as tf

from pix2pix_tf import dataset, images, kernels
from pix2pix_tf.inference import noise
from pix2pix_tf.inference.trained import Trained
from pix2pix_tf.model import build_generator
from pix2pix_tf.system import compat


class Exported(NamedTuple):
    """Placeholders and outputs; a batch has any size, and every image is computed alone."""

    image_bytes: tf.Tensor  # [batch] string: JPEG or PNG files, each with all input panels
    seed: Optional[tf.Tensor]  # [batch] int64; None without noise
    inputs: tf.Tensor  # [batch, height, width, input_channels] float32 in [-1, 1]
    outputs: tf.Tensor  # the same with output_channels, and with new noise every time
    output_bytes: tf.Tensor  # [batch] string: PNG files, with new noise every time
    seeded_bytes: Optional[tf.Tensor]  # [batch] string: PNG files, with the noise of `seed`


def build(source: Trained) -> Exported:
    """Builds the graph of `source` into the default graph; `restore` sets its variables."""
    config = source.config
    kernels.use_plain_ops()
    image_bytes = tf.placeholder(tf.string, [None], 'image_bytes')
    seed = tf.placeholder(tf.int64, [None], 'seed') if config.dropout else None
    inputs = tf.placeholder(tf.float32, [None, *config.crop_size, config.input_channels], 'inputs')

    def generate(one):
        image, image_seed = one
        if not config.dropout:
            return build_generator(image[None], config)[0]
        return build_generator(image[None], config, noise.image_seeds(image[None], image_seed))[0]

    def generate_png(one):
        contents, image_seed = one
        raw_image = dataset.decode_image(contents, config)
        if config.input_panels > 1:
            raw_image = tf.concat(tf.split(raw_image, config.input_panels, axis=1), axis=2)
        image = dataset.process_image(raw_image, None, config)
        image.set_shape([*config.crop_size, config.input_channels])
        output = images.deprocess_image(generate((image, image_seed)), config)
        return images.encode_pngs(output[None], config)[0]

    new_seeds = _random_seeds if config.dropout else _zeros
    return Exported(
        image_bytes,
        seed,
        inputs,
        compat.map_fn(generate, (inputs, new_seeds(inputs)), tf.float32),
        compat.map_fn(generate_png, (image_bytes, new_seeds(image_bytes)), tf.string),
        None if seed is None else compat.map_fn(generate_png, (image_bytes, seed), tf.string),
    )


def _random_seeds(batch):
    return tf.random_uniform(tf.shape(batch)[:1], 0, 2**31 - 1, tf.int64)


def _zeros(batch):
    return tf.zeros(tf.shape(batch)[:1], tf.int64)  # instead of seeds, without noise
