"""The decoders with dropout, and the shapes of their masks."""

import typing

from pix2pix_tf.config import Config

MASKED = (8, 7, 6)  # decoders with dropout


def mask_shape(decoder: int, config: Config) -> typing.Tuple[int, int, int]:
    """(height, width, channels) of the output of a decoder with dropout."""
    height, width = config.crop_size
    stride = 2 ** (decoder - 1)
    return height // stride, width // stride, 8 * config.ngf
