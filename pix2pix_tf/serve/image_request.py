"""A request for an image: its limits, its seed, its pixels, and the output for them."""

import re
from typing import Mapping, NamedTuple, Optional

import numpy as np
from werkzeug import exceptions

from pix2pix_tf.config import GENERATOR_STRIDE
from pix2pix_tf.inference.generator import Generator, random_seed
from pix2pix_tf.pairs import read
from pix2pix_tf.serve import job_queue

# The formats of browsers and cameras; Pillow's other formats are rejected
FORMATS = ('JPEG', 'PNG', 'WEBP', 'GIF', 'BMP')


class Limits(NamedTuple):
    """What a request may cost."""

    body: int = 20 * 2**20  # bytes
    pixels: int = 2**24  # of an image; a larger one is not decoded
    whole_pixels: int = 2**22  # of an image for fit=whole, whose time depends on its size
    queue: int = 16  # waiting requests
    seconds: float = 60.0  # from the arrival of a request to its response
    header_seconds: float = 15.0  # for the header to arrive
    body_seconds: float = 60.0  # for the whole request to arrive
    idle_seconds: float = 30.0  # without a request, or without taking anything of a response


def read_seed(query: Mapping[str, str], has_noise: bool = True) -> Optional[int]:
    """The seed in a query; without one, a random seed, or None if the generator has no noise.

    Raises:
        BadRequest: the seed is not a number, or has no effect. Its range is checked by the
            generator.
    """
    seed = query.get('seed', '')
    if not has_noise:
        if seed:
            raise exceptions.BadRequest('seed has no effect: this model runs without dropout')
        return None
    if not seed:
        return random_seed()
    if not re.fullmatch('[0-9]{1,19}', seed):
        raise exceptions.BadRequest('seed must be a whole number')
    return int(seed)


def read_pixels(
    generator: Generator, contents: bytes, limits: Limits, fit: str = 'scale'
) -> np.ndarray:
    """The bytes of a file of input panels => [height, width, input_channels].

    Raises:
        HTTPException: it is not an image, or too large.
        DataError: it cannot be decoded.
    """
    if not contents:
        raise exceptions.BadRequest('the request contains no image')
    try:
        with read.opened(contents, 'the image', FORMATS) as image:
            width, height = image.size
    except read.TooManyPixels:
        width = height = 2**20
    except read.TooExpensive as error:
        raise exceptions.RequestEntityTooLarge(str(error)) from error
    except read.Unreadable as error:
        raise exceptions.UnsupportedMediaType(
            f'this is not an image in one of these formats: {", ".join(FORMATS)}'
        ) from error
    most = limits.pixels
    if fit == 'whole' and width * height <= most:  # it is padded
        width, height = (side + -side % GENERATOR_STRIDE for side in (width, height))
        most = limits.whole_pixels
    if width * height > most:
        raise exceptions.RequestEntityTooLarge(
            f'the image has more than {most} pixels: scale it down'
        )
    return generator.read_input(contents)


def compute(
    generator: Generator, pixels: np.ndarray, seed: Optional[int], fit: str = 'scale'
) -> np.ndarray:
    """The output for `pixels`, [height, width, input_channels], unless the request is overdue.

    Raises:
        Overdue: the time for the request is over.
        Pix2PixError: `seed` or `fit` is invalid, or there is too little memory.
    """
    job_queue.check_time()
    return generator(pixels, seed, fit=fit)
