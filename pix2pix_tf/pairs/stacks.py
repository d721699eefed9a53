"""Files of any number of panels, gray or RGB, of 8 or 16 bits, from files of images and bands."""

from typing import NamedTuple, Optional, Sequence, Tuple

import numpy as np
from PIL import Image

from pix2pix_tf.pairs import bands, duplicates, find, halves, panels
from pix2pix_tf.pairs.halves import PairOptions
from pix2pix_tf.pairs.inputs import load_opencv
from pix2pix_tf.pairs.match import PairFiles
from pix2pix_tf.system.errors import DataError, UsageError


class Stack(NamedTuple):
    """The panels of a file, and their values."""

    sides: Tuple[str, ...]  # a or b, for each of the files of a source
    panels: int = 0  # of all of them; 0 if it is not known yet
    channels: int = 3
    bits: int = 8
    range: Optional[Tuple[float, float]] = None  # what becomes black and white, but of 8 bits


def parse_range(text: str) -> Tuple[float, float]:
    """(0.0, 1.5) of '0,1.5'.

    Raises:
        UsageError: it is not two numbers, the lower one first.
    """
    try:
        low, high = map(float, text.split(','))
        if not (np.isfinite([low, high]).all() and low < high):
            raise ValueError('not a range')
    except ValueError as error:
        raise UsageError(
            f'`range` is {text!r}: write the lowest and highest value, as in 0,1.5'
        ) from error
    return low, high


def file_of_panels(stack: Stack, options: PairOptions, source: PairFiles) -> Tuple[bytes, ...]:
    """The file of all panels of a source, A before B. All get the size of the first.

    Raises:
        DataError: a file cannot be used; the message begins with its path.
    """
    parts = [_read(stack, options, path, side) for path, side in zip(source.paths, stack.sides)]
    height, width = parts[0].shape[:2]
    same = [
        part if part.shape[:2] == (height, width) else _scaled(part, (width, height))
        for part in parts
    ]
    number = sum(part.shape[2] for part in parts) // stack.channels
    if stack.panels and number != stack.panels:
        raise DataError(
            f'{source.paths[0]} would be in a file of {number} panels, unlike the others of '
            f'{stack.panels}: do all files have as many bands?'
        )
    pixels = panels.side_by_side(np.concatenate(same, axis=2), stack.channels)
    if pixels.shape[0] * pixels.shape[1] > find.MAX_PIXELS:
        raise DataError(
            f'{source.paths[0]} would be in a file of {pixels.shape[1]}x{height} pixels, more than '
            f'{find.MAX_PIXELS}: scale it with `size`'
        )
    return (_encoded(pixels, options),)


def hash_of(stack: Stack, options: PairOptions, source: PairFiles) -> bytes:
    """The perceptual hash of the first panel.

    Raises:
        DataError: the file cannot be read; the message begins with its path.
    """
    first = _read(stack, options, source.paths[0], stack.sides[0])[..., : stack.channels]
    return duplicates.perceptual_hash(Image.fromarray(panels.as_rgb(first)))


def sides_of(stack: Stack, sources: Sequence[PairFiles]) -> Tuple[str, ...]:
    """a or b for each panel of a file, by the first source that can be read.

    Raises:
        DataError: none can be read; the message begins with the path of the first.
    """
    fault = DataError('there are no files')
    for number, source in enumerate(sources):
        try:
            found = [
                side
                for path, side in zip(source.paths, stack.sides)
                for _ in range(_read(stack, PairOptions(), path, side).shape[2] // stack.channels)
            ]
            return tuple(found)
        except DataError as error:
            fault = fault if number else error
    raise fault


def _read(stack, options, path, side):
    """[height, width, panels * channels] of a file, in the size of the options."""
    found = bands.read_bands(path, srgb=options.labels not in (side, 'both'))
    is_stack = bands.is_array(path) or path.lower().endswith(('.tif', '.tiff'))
    if stack.channels == 1 and found.shape[2] == 3 and not is_stack:
        found = _luma(found)
    if stack.channels == 3 and found.shape[2] == 1:
        found = np.repeat(found, 3, axis=2)
    if found.shape[2] % stack.channels:
        raise DataError(
            f'{path} has {found.shape[2]} bands, which make no RGB panels: use `channels`=1'
        )
    pixels = _values(stack, found, path)
    return _resized(pixels, options, side) if options.shape.size else pixels


def _luma(colors):
    weighted = (colors.astype(np.int64) * [19595, 38470, 7471]).sum(axis=2, keepdims=True)
    return ((weighted + 2**15) >> 16).astype(colors.dtype)


def _values(stack, found, path):
    """The values of a file in the bits of the stack."""
    white = 2**stack.bits - 1
    if stack.range and found.dtype != np.uint8:
        low, high = stack.range
        scaled = np.nan_to_num((found.astype(np.float64) - low) / (high - low))
        return np.round(np.clip(scaled, 0, 1) * white).astype(f'uint{stack.bits}')
    if found.dtype == np.float64:
        raise DataError(
            f'{path} has values of other types than uint8 and uint16, whose range is unknown: '
            'scale them with `range`, as in 0,1'
        )
    return panels.to_bits(found, stack.bits)


def _resized(pixels, options, side):
    """The bands of `pixels` in the size of the options; flat colors stay exact."""
    is_labels = options.labels in (side, 'both')
    if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        image = Image.fromarray(pixels)
        is_labels = is_labels or (options.labels == 'auto' and halves.kind_of(image) == 'labels')
        return np.asarray(halves.resized(image, options.shape, is_labels))
    if options.labels == 'auto':
        is_labels = len(np.unique(pixels[..., 0])) <= halves.MOST_LABELS
    # As floats up to 255, in which Pillow takes the color of the background
    white = np.iinfo(pixels.dtype).max
    scaled = [
        np.asarray(
            halves.resized(
                Image.fromarray(np.float32(pixels[..., one]) * (255 / white)),
                options.shape,
                is_labels,
            )
        )
        for one in range(pixels.shape[2])
    ]
    levels = np.round(np.stack(scaled, axis=2) * (white / 255))
    return np.clip(levels, 0, white).astype(pixels.dtype)


def _scaled(pixels, size):
    is_flat = len(np.unique(pixels)) <= halves.MOST_LABELS
    return panels.resized(pixels, size, Image.NEAREST if is_flat else Image.LANCZOS)


def _encoded(pixels, options):
    """The bytes of a file, of [height, width, 1 or 3]."""
    if pixels.dtype == np.uint8:
        image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])
        return halves.encoded(image, options.extension, options.quality)
    cv2 = load_opencv()  # Pillow writes no RGB of 16 bits
    return cv2.imencode('.png', pixels[..., ::-1])[1].tobytes()
