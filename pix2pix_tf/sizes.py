"""The size of an image, as people write it: one number for a square, or width x height."""

import re
import typing

Size = typing.Union[int, str]  # in pixels: 256, or '512x256'


def height_and_width(size: object) -> typing.Tuple[int, int]:
    """A Size as (height, width): 256 => (256, 256), '512x256' => (256, 512).

    Raises:
        ValueError: it is not a Size; the message says what one is.
    """
    match = re.match(r'([0-9]+)(?:x([0-9]+))?$', str(size)) if type(size) in (int, str) else None
    if not match:
        raise ValueError('a number of pixels, or width x height, such as 512x256')
    width = int(match.group(1))
    return int(match.group(2) or width), width


def describe_size(size: object) -> str:
    """A Size as 'width x height' in words: 256 => '256x256'."""
    height, width = height_and_width(size)
    return f'{width}x{height}'


def shortest(size: Size) -> Size:
    """The same Size, equal for equal sizes: '256x256' => 256."""
    height, width = height_and_width(size)
    return width if height == width else f'{width}x{height}'
