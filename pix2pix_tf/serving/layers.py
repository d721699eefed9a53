"""The layers of the generator by number, for files that are written without TensorFlow's graph."""

import typing

from pix2pix_tf.config import Config
from pix2pix_tf.sizes import height_and_width

ENCODERS = tuple(range(1, 9))  # in the order of the data
DECODERS = tuple(range(8, 0, -1))
MASKED = (8, 7, 6)  # decoders with dropout


def mask_shape(decoder: int, config: Config) -> typing.Tuple[int, int, int]:
    """(height, width, channels) of the output of a decoder with dropout."""
    height, width = height_and_width(config.crop_size)
    stride = 2 ** (decoder - 1)
    return height // stride, width // stride, 8 * config.ngf
