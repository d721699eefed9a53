"""Summaries for TensorBoard: images and histograms, as parts of the graph."""

import tensorflow.compat.v1 as tf

from pix2pix_tf import images
from pix2pix_tf.model import Model


def build_images(inputs: tf.Tensor, targets: tf.Tensor, model: Model) -> tf.Tensor:
    """A summary of the first pair of a batch: its images and the discriminator's answers.

    One image has input | output | target side by side. Two more show the discriminator's answer to
    each patch of the real and of the generated image; white means "real". Returns a string scalar.
    """
    side_by_side = tf.concat([inputs[:1], model.outputs[:1], targets[:1]], axis=2)
    # As uint8, because TensorBoard stretches images of floats to their own minimum and maximum
    shown = {
        'input_output_target': images.deprocess_image(side_by_side),
        'predict_real': tf.image.convert_image_dtype(model.predict_real[:1], tf.uint8),
        'predict_fake': tf.image.convert_image_dtype(model.predict_fake[:1], tf.uint8),
    }
    return tf.summary.merge(
        [tf.summary.image(name, image, max_outputs=1) for name, image in shown.items()]
    )


def build_histograms(model: Model) -> tf.Tensor:
    """A summary of all weights after the step's update, and of the gradients that led to it.

    Returns a string scalar.
    """
    with tf.control_dependencies([model.train_op]):
        weights = {var.op.name: var.read_value() for var in tf.trainable_variables()}
    values = [tf.summary.histogram(f'weights/{name}', value) for name, value in weights.items()]
    values += [
        tf.summary.histogram(f'gradients/{name}', value) for name, value in model.gradients.items()
    ]
    return tf.summary.merge(values)
