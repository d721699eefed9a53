"""The two halves of a pair: made from source files, resized, and written side by side."""

import contextlib
import hashlib
import io
from typing import NamedTuple, Optional, Sequence, Tuple

import numpy as np
from PIL import Image, ImageOps

from pix2pix_tf.pairs import duplicates, find, inputs, read
from pix2pix_tf.pairs.match import PairFiles
from pix2pix_tf.system.errors import DataError

RESIZES = ('crop', 'fit', 'pad', 'stretch')
MOST_LABELS = 64  # colors of a label map

_SAMPLED = 8  # files in which label maps are looked for


class Shape(NamedTuple):
    """The size of each half, and how an image gets it."""

    size: Optional[int] = None  # side of a square in pixels; None keeps that of the image
    resize: str = 'crop'  # one of RESIZES
    background: str = 'white'  # of 'pad'


class PairOptions(NamedTuple):
    """How the halves and the file of a pair are made."""

    shape: Shape = Shape()
    extension: str = 'jpg'
    quality: int = 95  # of JPEG
    labels: str = 'none'  # which halves are label maps: a, b, both or none
    kind: str = 'edges'  # of a computed input
    parameters: inputs.Parameters = inputs.Parameters()
    seed: int = 0
    panels: Tuple[str, ...] = ('a', 'b')  # of a file, from left to right


def pair_of_photo(options: PairOptions, source: PairFiles) -> Tuple[bytes, ...]:
    """The file of a photo and the input that is computed from it.

    Raises:
        DataError: the photo cannot be used; the message begins with its path.
    """
    photo = _half(options, source.paths[0])
    name = f'{options.seed}/{source.key}'.encode('utf-8', 'surrogateescape')
    rng = np.random.RandomState(list(hashlib.sha256(name).digest()))
    computed = inputs.KINDS[options.kind](photo, options.parameters, rng)
    return (_pair(options, source, photo, computed),)


def pair_of_two(options: PairOptions, source: PairFiles) -> Tuple[bytes, ...]:
    """The file of A and B from two files. B is scaled to the size of A.

    Raises:
        DataError: one of them cannot be used; the message begins with its path.
    """
    a, b = (
        _half(options, path, options.labels in (side, 'both'))
        for path, side in zip(source.paths, 'ab')
    )
    if b.size != a.size:
        labels = options.labels in ('b', 'both')
        b = b.resize(a.size, Image.NEAREST if labels else Image.LANCZOS)
    return (_pair(options, source, a, b),)


def pair_of_panels(options: PairOptions, source: PairFiles) -> Tuple[bytes, ...]:
    """The file of a pair from the `panels` of one file.

    Raises:
        DataError: it cannot be split; the message begins with its path.
    """
    panels = _panels(source.paths[0], options.panels)
    a, b = (resized(panels[side], options.shape, options.labels in (side, 'both')) for side in 'ab')
    return (_pair(options, source, a, b),)


def both_halves(options: PairOptions, source: PairFiles) -> Tuple[bytes, ...]:
    """Two PNG files, A and B, from the file of a pair.

    Raises:
        DataError: it cannot be split; the message begins with its path.
    """
    panels = _panels(source.paths[0], 'ab')
    return tuple(encoded(panels[side], 'png') for side in 'ab')


def find_labels(sources: Sequence[PairFiles], *panels: Sequence[str]) -> str:
    """Which halves are label maps, by the colors of the first few files: a, b, both or none.

    `panels` are those of each file of a source, from left to right.
    """
    labels = {'a': True, 'b': True}
    for source in sources[:_SAMPLED]:
        for path, names in zip(source.paths, panels):
            with contextlib.suppress(DataError):  # reported when the pair is made
                for side, image in _panels(path, names).items():
                    labels[side] = labels[side] and colors_of(image) is not None
    found = ''.join(side for side in 'ab' if labels[side])
    return {'ab': 'both', '': 'none'}.get(found, found)


def hash_of(options: PairOptions, source: PairFiles) -> bytes:
    """The perceptual hash of A as the pair will have it, or of B if A is a label map.

    Raises:
        DataError: the file cannot be read; the message begins with its path.
    """
    path = source.paths[1 if options.labels == 'a' else 0]
    return duplicates.perceptual_hash(_half(options, path))


def _half(options, path, labels=False):
    side = None if labels else options.shape.size
    image = read.read_for_pair(path, srgb=not labels, side=side)
    return resized(image, options.shape, labels)


def _panels(path, names):
    """{name: image} of the panels of a file, without those that are named '-'."""
    image = read.read_for_pair(path)
    width, remainder = divmod(image.width, len(names))
    if remainder or not width:
        raise DataError(
            f'{path} is {image.width} pixels wide, so it cannot be split into {len(names)}'
        )
    return {
        name: image.crop((number * width, 0, (number + 1) * width, image.height))
        for number, name in enumerate(names)
        if name != '-'
    }


def _pair(options, source, a, b):
    width, height = a.size
    if 2 * width * height > find.MAX_PIXELS:  # a training would reject it
        raise DataError(
            f'{source.paths[0]} would be a pair of {2 * width}x{height} pixels, more than '
            f'{find.MAX_PIXELS}: scale it with `size`'
        )
    return encoded(side_by_side(a, b), options.extension, options.quality)


def resized(image: Image.Image, shape: Shape, labels: bool = False) -> Image.Image:
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


def side_by_side(a: Image.Image, b: Image.Image) -> Image.Image:
    """The pair: A on the left, B on the right. Both have the same size."""
    width, height = a.size
    pair = Image.new('RGB', (2 * width, height))
    pair.paste(a, (0, 0))
    pair.paste(b, (width, 0))
    return pair


def cut(pair: Image.Image) -> Tuple[Image.Image, Image.Image]:
    """A and B of a pair of even width."""
    width, height = pair.size
    middle = width // 2
    return pair.crop((0, 0, middle, height)), pair.crop((middle, 0, width, height))


def colors_of(half: Image.Image) -> Optional[dict]:
    """{(red, green, blue): share of the area} of a label map; None if there are too many colors."""
    colors = half.getcolors(MOST_LABELS)
    if colors is None:
        return None
    area = half.width * half.height
    return {color: count / area for count, color in colors}


def encoded(image: Image.Image, extension: str, quality: int = 95) -> bytes:
    """The bytes of a file. JPEG keeps the full resolution of the colors."""
    stream = io.BytesIO()
    if extension == 'jpg':
        image.save(stream, 'JPEG', quality=quality, subsampling=0)
    else:
        image.save(stream, 'PNG')
    return stream.getvalue()
