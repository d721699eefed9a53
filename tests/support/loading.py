"""Loads TensorFlow as a command does: in silence, and without Keras."""

from pix2pix_tf.cli import common

common.load('training')
