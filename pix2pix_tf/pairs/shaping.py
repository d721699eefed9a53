"""Two images to one pair: their size, and the file."""

import io
import typing

from PIL import Image, ImageOps

from pix2pix_tf.pairs import find
from pix2pix_tf.system.errors import DataError

RESIZES = ('crop', 'fit', 'pad', 'stretch')
MOST_LABELS = 64  # colors of a label map


class Shape(typing.NamedTuple):
    """The size of each half, and how an image gets it."""

    size: typing.Optional[int] = None  # side of a square in pixels; None keeps that of the image
    resize: str = 'crop'  # one of RESIZES
    background: str = 'white'  # of 'pad'


def shaped(image: Image.Image, shape: Shape, labels: bool = False) -> Image.Image:
    """`image` in the size of `shape`.

    crop: scaled to cover the square, its middle. fit: scaled into the square, not square itself.
    pad: the same, with margins. stretch: scaled to the square. The colors of `labels` stay exact.
    """
    if shape.size is None:
        return image
    square = (shape.size, shape.size)
    scaling = Image.NEAREST if labels else Image.LANCZOS
    if shape.resize == 'crop':
        return ImageOps.fit(image, square, scaling)
    if shape.resize == 'pad':
        return ImageOps.pad(image, square, scaling, shape.background)
    if shape.resize == 'fit':
        factor = shape.size / max(image.size)
        square = tuple(max(1, round(side * factor)) for side in image.size)
    return image.resize(square, scaling)


def has_labels(image: Image.Image) -> bool:
    """Whether an RGB image has few colors, as a label map."""
    return image.getcolors(MOST_LABELS) is not None


def joined(a: Image.Image, b: Image.Image) -> Image.Image:
    """The pair: A on the left, B on the right. Both have the same size.

    Raises:
        DataError: a training would refuse a pair of this size.
    """
    width, height = a.size
    if 2 * width * height > find.MAX_PIXELS:
        raise DataError(
            f'would be a pair of {2 * width}x{height} pixels, more than {find.MAX_PIXELS}: '
            'scale it with `size`'
        )
    pair = Image.new('RGB', (2 * width, height))
    pair.paste(a, (0, 0))
    pair.paste(b, (width, 0))
    return pair


def halves(pair: Image.Image) -> typing.Tuple[Image.Image, Image.Image]:
    """A and B of a pair of even width."""
    width, height = pair.size
    middle = width // 2
    return pair.crop((0, 0, middle, height)), pair.crop((middle, 0, width, height))


def encoded(image: Image.Image, extension: str, quality: int = 95) -> bytes:
    """The bytes of a file. JPEG keeps the full resolution of the colors."""
    stream = io.BytesIO()
    if extension == 'jpg':
        image.save(stream, 'JPEG', quality=quality, subsampling=0)
    else:
        image.save(stream, 'PNG')
    return stream.getvalue()
