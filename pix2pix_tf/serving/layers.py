"""The decoders with dropout, and the shapes of their masks."""

import typing

from pix2pix_tf.config import Config
from pix2pix_tf.sizes import height_and_width

MASKED = (8, 7, 6)  # decoders with dropout


def mask_shape(decoder: int, config: Config) -> typing.Tuple[int, int, int]:
    """(height, width, channels) of the output of a decoder with dropout."""
    height, width = height_and_width(config.crop_size)
    stride = 2 ** (decoder - 1)
    return height // stride, width // stride, 8 * config.ngf
