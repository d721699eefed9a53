"""Summaries for TensorBoard: pictures and histograms, as parts of the graph."""

import tensorflow.compat.v1 as tf

from pix2pix_tf import images


def build_pictures(inputs, targets, model):
    """A summary of the first pair of a batch, of what comes of it and how real that looks.

    input | output | target side by side, and the discriminator's answers, white where it takes a
    patch for real. Returns a string scalar.
    """
    side_by_side = tf.concat([inputs[:1], model.outputs[:1], targets[:1]], axis=2)
    # As uint8, since pictures of floats are stretched to their own darkest and brightest pixel
    pictures = {
        'input_output_target': images.deprocess_image(side_by_side),
        'predict_real': tf.image.convert_image_dtype(model.predict_real[:1], tf.uint8),
        'predict_fake': tf.image.convert_image_dtype(model.predict_fake[:1], tf.uint8),
    }
    return tf.summary.merge(
        [tf.summary.image(name, picture, max_outputs=1) for name, picture in pictures.items()]
    )


def build_histograms(model):
    """A summary of all weights behind the step's update, and of the gradients that led to it.

    Returns a string scalar.
    """
    with tf.control_dependencies([model.train_op]):
        weights = {var.op.name: var.read_value() for var in tf.trainable_variables()}
    values = [tf.summary.histogram(f'weights/{name}', value) for name, value in weights.items()]
    values += [
        tf.summary.histogram(f'gradients/{name}', value) for name, value in model.gradients.items()
    ]
    return tf.summary.merge(values)
