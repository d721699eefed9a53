"""Loads TensorFlow as a command does: without its start-up messages, and without Keras."""

from pix2pix_tf.cli import common

common.load('training')
