"""Requests for an image: their limits and settings, and images out of their bytes."""

import typing

import numpy as np
from werkzeug import exceptions

from pix2pix_tf.config import GENERATOR_STRIDE
from pix2pix_tf.inference.generator import Generator
from pix2pix_tf.inference.noise import random_seed
from pix2pix_tf.pairs import read
from pix2pix_tf.serve import job_queue

# What browsers and cameras write; Pillow's other formats are refused here
FORMATS = ('JPEG', 'PNG', 'WEBP', 'GIF', 'BMP')


class Limits(typing.NamedTuple):
    """What a request may cost."""

    body: int = 20 * 2**20  # bytes
    pixels: int = 2**24  # of an image; more are not decoded
    whole_pixels: int = 2**22  # of an image for fit=whole, which takes time by its size
    queue: int = 16  # requests that wait
    seconds: float = 60.0  # from its arrival to its answer
    header_seconds: float = 15.0  # within which its header must arrive
    body_seconds: float = 60.0  # within which all of it must arrive


class Settings(typing.NamedTuple):
    """How an image is computed; see `Generator.__call__`."""

    seed: int
    fit: str = 'scale'


def read_settings(values: typing.Mapping[str, str]) -> Settings:
    """The Settings in a query; without a seed, a random one.

    Raises:
        BadRequest: the seed is not a number. The generator checks the values.
    """
    seed = values.get('seed', '')
    if seed and not (seed.isdecimal() and len(seed) < 20):
        raise exceptions.BadRequest('seed must be a whole number')
    return Settings(int(seed) if seed else random_seed(), values.get('fit', 'scale'))


def read_pixels(
    generator: Generator, contents: bytes, settings: Settings, limits: Limits
) -> np.ndarray:
    """The bytes of an image file => [height, width, 3] uint8.

    Raises:
        HTTPException: it is not an image, or too large.
        DataError: it cannot be decoded.
    """
    if not contents:
        raise exceptions.BadRequest('there is no image in the request')
    try:
        with read.opened(contents, 'the image', FORMATS) as image:
            width, height = image.size
    except read.TooManyPixels:
        width = height = 2**20
    except read.Unreadable as error:
        raise exceptions.UnsupportedMediaType(
            f'this is not an image in one of these formats: {", ".join(FORMATS)}'
        ) from error
    most = limits.pixels
    if settings.fit == 'whole' and width * height <= most:  # it is padded
        width, height = (side + -side % GENERATOR_STRIDE for side in (width, height))
        most = limits.whole_pixels
    if width * height > most:
        raise exceptions.RequestEntityTooLarge(
            f'the image has more than {most} pixels: scale it down'
        )
    return np.asarray(generator.read(contents))


def compute(generator: Generator, pixels: np.ndarray, settings: Settings) -> np.ndarray:
    """The output for `pixels`, as `Generator.__call__` gives it.

    Raises:
        Overdue: the time for the request is over.
        Pix2PixError: a setting cannot be used, or there is too little memory.
    """
    job_queue.check()
    return generator(pixels, settings.seed, fit=settings.fit)
