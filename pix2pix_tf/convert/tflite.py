"""A generator as a TensorFlow Lite file."""

import dataclasses

import tensorflow.compat.v1 as tf

from pix2pix_tf import kernels
from pix2pix_tf.inference import variables
from pix2pix_tf.inference.trained import Trained
from pix2pix_tf.model import build_generator
from pix2pix_tf.system import compat


def build(source: Trained, weights: str = 'float32') -> bytes:
    """The bytes of the file; its input and output are float32 [1, height, width, channels] in
    [-1, 1].

    It has no dropout. `weights` is the type of the stored filters: float32, float16 or int8.

    Raises:
        CheckpointError: the checkpoint is missing or damaged, or does not fit.
    """
    config = dataclasses.replace(source.config, dropout=0.0)
    with tf.Graph().as_default(), tf.Session() as session:
        kernels.use_plain_ops()
        inputs = tf.placeholder(tf.float32, [1, *config.crop_size, config.input_channels], 'input')
        outputs = tf.identity(build_generator(inputs, config), 'output')
        variables.restore(source, session)
        converter = tf.lite.TFLiteConverter.from_session(session, [inputs], [outputs])
        if weights != 'float32':
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if weights == 'float16':
            converter.target_spec.supported_types = [tf.float16]
        with compat.converter_on_path():
            return converter.convert()
