"""Reads images and arrays with all their bands: TIFF and PNG files of 16 bits, .npy files."""

import os
from typing import Tuple

import numpy as np

from pix2pix_tf.pairs import read
from pix2pix_tf.pairs.inputs import load_opencv
from pix2pix_tf.system.errors import DataError

ARRAY = '.npy'  # extension of a numpy array: [height, width] or [height, width, bands]

_PNG_BITS = 24  # index of the byte with the bits of a value


def is_array(path: str) -> bool:
    """Whether a file is an array, by its name."""
    return path.lower().endswith(ARRAY)


def size_of(path: str) -> Tuple[int, int]:
    """(width, height) of an upright image or array, from the header of its file.

    Raises:
        DataError: it cannot be read; the message begins with the path.
    """
    if is_array(path):
        height, width = _array(path).shape[:2]
        return width, height
    with read.opened(path, path) as image:
        width, height = image.size
        turned = read.orientation_of(image) >= 5
        return (height, width) if turned else (width, height)


def read_bands(path: str, srgb: bool = False) -> np.ndarray:
    """[height, width, bands] of a file: uint8 and uint16 as they are, other numbers as float64.

    An image in color has three bands, unless it is a TIFF file, whose bands and pages are all read.
    Transparent parts of a PNG file become white. With `srgb`, a color profile is applied to an
    image of 8 bits that is not a TIFF file.

    Raises:
        DataError: it cannot be read or has too many pixels; the message begins with the path.
    """
    if is_array(path):
        return _numbers(np.array(_array(path)), path)
    contents = read.read_file(path)
    with read.opened(contents, path) as image:
        with read.decoding(path):
            number = image.n_frames if image.format == 'TIFF' else 1
        _check_pixels(path, image.width * image.height * number)
        is_tiff = image.format == 'TIFF' and image.mode not in ('1', 'P', 'CMYK', 'YCbCr', 'LAB')
        is_fine_png = image.format == 'PNG' and contents[_PNG_BITS] == 16
        is_gray = image.mode in ('1', 'L', 'LA')
    if is_tiff or is_fine_png:
        pages = _by_opencv(contents, path, number > 1)
        bands = _numbers(np.concatenate(pages, axis=2), path)
        return _on_white(bands) if is_fine_png and bands.shape[2] == 4 else bands
    decoded = read.read_image(contents, path, srgb=srgb)
    return np.asarray(decoded.convert('L'))[..., None] if is_gray else np.asarray(decoded)


def _check_pixels(path, pixels):
    if pixels > read.MAX_SOURCE_PIXELS:
        raise DataError(f'{path} has over {read.MAX_SOURCE_PIXELS} pixels: scale it down')


def _array(path):
    """The array in a file, [height, width, bands], which is not read yet."""
    try:
        array = np.load(path, mmap_mode='r', allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f'{path} cannot be read as an array ({error})') from error
    if not isinstance(array, np.ndarray) or array.ndim not in (2, 3) or 0 in array.shape:
        shape = list(getattr(array, 'shape', []))
        raise DataError(f'{path} has the shape {shape}, not [height, width, bands]')
    _check_pixels(path, array.shape[0] * array.shape[1])
    return array if array.ndim == 3 else array[..., None]


def _numbers(array, path):
    """uint8 and uint16 as they are, other real numbers as float64."""
    if array.dtype in (np.uint8, np.uint16):
        return array
    if array.dtype.kind not in 'iufb':
        raise DataError(f'{path} has values of the type {array.dtype}, not numbers')
    return array.astype(np.float64)


def _by_opencv(contents, path, has_pages):
    """[[height, width, bands]] of the pages of a file."""
    cv2 = load_opencv()
    try:
        if has_pages:  # OpenCV 4.6 reads them from a file alone
            _, pages = cv2.imreadmulti(path, flags=cv2.IMREAD_UNCHANGED)
        else:
            pages = [cv2.imdecode(np.frombuffer(contents, np.uint8), cv2.IMREAD_UNCHANGED)]
    except (cv2.error, UnicodeError, TypeError):  # the latter are of names that are not UTF-8
        pages = ()
    if not len(pages) or any(page is None for page in pages):
        name = os.path.basename(path)
        raise DataError(
            f'{path} cannot be read by OpenCV, which reads up to 4 bands per page: save its bands '
            f'as an array, as {os.path.splitext(name)[0]}{ARRAY}'
        )
    if len({page.shape[:2] for page in pages}) > 1:
        raise DataError(f'{path} has pages of different sizes: save them as separate files')
    return [_in_order(page) for page in pages]


def _in_order(page):
    """OpenCV's blue, green, red => red, green, blue; a fourth band stays the last."""
    if page.ndim == 2:
        return page[..., None]
    return page[..., [2, 1, 0, 3][: page.shape[2]]] if page.shape[2] >= 3 else page


def _on_white(bands):
    colors, alpha = bands[..., :3].astype(np.float64), bands[..., 3:].astype(np.float64)
    white = np.iinfo(bands.dtype).max
    return np.round((colors * alpha + white * (white - alpha)) / white).astype(bands.dtype)
