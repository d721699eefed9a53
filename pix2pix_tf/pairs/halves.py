"""The two halves of a pair: made from source files, resized, and written side by side."""

import contextlib
import hashlib
import io
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from pix2pix_tf.pairs import duplicates, find, inputs, read
from pix2pix_tf.pairs.match import PairFiles
from pix2pix_tf.system.errors import DataError

RESIZES = ('crop', 'fit', 'pad', 'stretch')
MOST_LABELS = 64  # colors of a label map

_SAMPLED = 8  # files in which label maps are looked for
_SAMPLE_SIDE = 2048  # pixels to which a photo may be decoded for it


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
    colorize: str = 'none'  # which halves are class ids that get colors; these are label maps
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
        _half(options, path, options.labels in (side, 'both'), options.colorize in (side, 'both'))
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


def computed_input(photo: Image.Image, recipe: Dict[str, Any]) -> Image.Image:
    """The input that `pair_of_photo` computes from a photo by the `recipe` of a record.

    Both are of mode RGB. The places of a mask are drawn from the pixels.

    Raises:
        DataError: the recipe is invalid.
    """
    try:
        shape = Shape(*(recipe[name] for name in Shape._fields))
        values = {name: recipe[name] for name in inputs.Parameters._fields}
        kind = inputs.KINDS[inputs.current_name(recipe['input'])]
        photo = resized(photo, shape)
        rng = np.random.RandomState(list(hashlib.sha256(photo.tobytes()).digest()))
        return kind(photo, inputs.Parameters(**values), rng)
    except (LookupError, TypeError, ValueError) as error:
        raise DataError(f'the recipe in pairs.json is invalid ({error!r})') from error


class Look(NamedTuple):
    """What the first few files of a folder look like."""

    kinds: Dict[str, str]  # {side: 'labels', 'lines' or 'colors'}
    doubts: List[str]  # lines


def look_at(sources: Sequence[PairFiles], *panels: Sequence[str]) -> Look:
    """The Look of the halves. `panels` are those of each file of a source, from left to right."""
    kinds: Dict[str, List[str]] = {'a': [], 'b': []}
    ids: Dict[str, Set[int]] = {'a': set(), 'b': set()}
    doubts = []
    for source in sources[:_SAMPLED]:
        for path, names in zip(source.paths, panels):
            with contextlib.suppress(DataError):  # reported when the pair is made
                for side, image in _panels(path, names, _SAMPLE_SIDE).items():
                    kinds[side].append(kind_of(image))
                    ids[side].update(_gray_colors(image))
                doubts.append(read.doubt_of(read.read_file(path), path))
    lines = [doubt for doubt in doubts if doubt][:1]
    found = {side: _common(kinds[side]) for side in 'ab'}
    for side in 'ab':
        if found[side] == 'labels' and ids[side] and max(ids[side]) < MOST_LABELS:
            lines.append(
                f'{side.upper()} looks like class ids, gray values from {min(ids[side])} to '
                f'{max(ids[side])}, which are nearly black: give them colors with `colorize`'
            )
    return Look(found, lines)


def _common(kinds):
    """The kind of a side: label maps and lines only if all its files are."""
    if not kinds or 'colors' in kinds:
        return 'colors'
    return 'lines' if 'lines' in kinds else 'labels'


def kind_of(image: Image.Image) -> str:
    """'labels' for regions of a few colors, 'lines' for thin lines of them, else 'colors'.

    An image is of lines if most of it has one color and hardly any of the rest survives when a
    margin is taken off: of 1/64 of the image, or 3 pixels.
    """
    colors = colors_of(image)
    if colors is None:
        return 'colors'
    background, share = max(colors.items(), key=lambda item: item[1])
    if share < 0.7 or len(colors) == 1:
        return 'labels'
    others = (np.asarray(image) != background).any(axis=2)
    width = max(3, 2 * (max(image.size) // 128) + 1)
    inside = Image.fromarray(others.astype(np.uint8) * 255).filter(ImageFilter.MinFilter(width))
    return 'lines' if np.count_nonzero(inside) < 0.1 * np.count_nonzero(others) else 'labels'


def _gray_colors(image):
    """The values of an image of a few gray values; else none."""
    colors = colors_of(image) or {}
    return {color[0] for color in colors} if all(len(set(color)) == 1 for color in colors) else ()


def color_of(class_id: int) -> Tuple[int, int, int]:
    """The color of a class id, always the same: that of the PASCAL VOC dataset; 0 is black."""
    red, green, blue = (
        sum((class_id >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(8))
        for channel in range(3)
    )
    return red, green, blue


def legend_of(path: str) -> Dict[str, str]:
    """{class id: '#rrggbb'} of a file; none if it is not gray or cannot be read."""
    with contextlib.suppress(DataError):  # reported when the pair is made
        ids = read.read_ids(path)
        if ids is not None:
            return {
                str(one): '#{:02x}{:02x}{:02x}'.format(*color_of(int(one)))
                for one in np.unique(ids)
            }
    return {}


def _colorized(path):
    ids = read.read_ids(path)
    if ids is None:
        return read.read_for_pair(path)
    values, places = np.unique(ids, return_inverse=True)
    colors = np.array([color_of(int(one)) for one in values], np.uint8)
    return Image.fromarray(colors[places.reshape(ids.shape)])


def hash_of(options: PairOptions, source: PairFiles) -> bytes:
    """The perceptual hash of A as the pair will have it, or of B if A is a label map.

    Raises:
        DataError: the file cannot be read; the message begins with its path.
    """
    path = source.paths[1 if options.labels == 'a' else 0]
    return duplicates.perceptual_hash(_half(options, path))


def _half(options, path, labels=False, colorize=False):
    if colorize:
        return resized(_colorized(path), options.shape, labels=True)
    side = None if labels else options.shape.size
    image = read.read_for_pair(path, srgb=not labels, side=side)
    return resized(image, options.shape, labels)


def _panels(path, names, side=None):
    """{name: image} of the panels of a file, without those that are named '-'."""
    image = read.read_for_pair(path, side=side)
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
