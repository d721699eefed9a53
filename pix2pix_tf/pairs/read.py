"""Reads any image that Pillow supports, upright and in sRGB."""

import contextlib
import functools
import io
import warnings
from typing import Callable, Iterator, Optional, Tuple, Union

import numpy as np
from PIL import Image, ImageCms, ImageOps

from pix2pix_tf.system import files
from pix2pix_tf.system.errors import DataError

MAX_SOURCE_PIXELS = 2**26  # of an image for a pair: it then takes less than 200 MiB

_ORIENTATION = 0x0112  # EXIF tag; 1 means upright

Decoder = Callable[[bytes], np.ndarray]  # of a file => [height, width, 3] uint8


def read_image(
    contents: bytes,
    name: str,
    decode_jpeg: Optional[Decoder] = None,
    srgb: bool = False,
    side: Optional[int] = None,
) -> Image.Image:
    """The image in the bytes of a file, in mode RGB and upright; of several frames the first.

    Transparent parts become white, 16-bit values lose their lower 8 bits. JPEG is decoded by
    `decode_jpeg`, by default Pillow: TensorFlow's pixels differ by up to 20 of 255. With `srgb`, a
    color profile is applied. With `side`, a JPEG may be decoded smaller, to no less than `side`
    pixels, which is faster.

    Raises:
        DataError: it cannot be read; the message begins with `name`.
    """
    with opened(contents, name) as image:
        if decode_jpeg and image.format in ('JPEG', 'MPO'):
            try:
                decoded = Image.fromarray(decode_jpeg(contents))
            except DataError as error:
                raise DataError(f'{name} {error}') from error
            decoded.info['exif'] = image.info.get('exif', b'')
            return _upright(decoded).convert('RGB')
        with decoding(name):
            if side:
                image.draft(None, (side, side))
            image.load()
            upright = _upright(image)
            return to_rgb(to_srgb(upright) if srgb else upright)


def read_for_pair(path: str, srgb: bool = False, side: Optional[int] = None) -> Image.Image:
    """`read_image` of a file, if it has at most MAX_SOURCE_PIXELS.

    Raises:
        DataError: it cannot be read, or has more; the message begins with the path.
    """
    contents = files.read(path)
    with opened(contents, path) as image:
        width, height = image.size
    if width * height > MAX_SOURCE_PIXELS:
        raise DataError(
            f'{path} has {width}x{height} pixels, over {MAX_SOURCE_PIXELS}: scale it down'
        )
    return read_image(contents, path, srgb=srgb, side=side)


class Unreadable(DataError):
    """A file that Pillow cannot read as an image."""

    def __init__(self, name: str, fault: str) -> None:
        super().__init__(name, fault)  # both: an exception of another process is built from them
        self.fault = fault  # the message without the name

    def __str__(self) -> str:
        return ' '.join(self.args)


class TooManyPixels(Unreadable):
    """An image that is too large to be decoded safely."""


@contextlib.contextmanager
def opened(
    source: Union[str, bytes], name: str, formats: Optional[Tuple[str, ...]] = None
) -> Iterator[Image.Image]:
    """The image in a file, given by its path or its bytes; only its header has been read.

    Calls that read its pixels belong inside `decoding`. `formats` are names of Pillow's formats, by
    default all of them.

    Raises:
        TooManyPixels, Unreadable: the message begins with `name`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # Pillow warns of large images and of damaged EXIF
        with decoding(name):
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            image = Image.open(file, formats=formats)
        with image:
            yield image


@contextlib.contextmanager
def decoding(name: str) -> Iterator[None]:
    """For a block that only decodes an image by Pillow: any exception becomes Unreadable.

    Raises:
        TooManyPixels, Unreadable: the message begins with `name`.
    """
    try:
        yield
    except Image.DecompressionBombError as error:
        fault = 'has too many pixels to be read safely: scale it down'
        raise TooManyPixels(name, fault) from error
    except Exception as error:  # damaged files raise more kinds than Pillow documents
        words = ' '.join((getattr(error, 'strerror', None) or str(error)).split())
        if isinstance(error, Image.UnidentifiedImageError):
            words = 'unknown format'
        raise Unreadable(name, f'cannot be read as an image ({words})') from error


def _upright(image):
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF does not damage the image
        return image


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, from 1 (upright) to 8."""
    if 'exif' not in image.info:  # for a PNG without one, getexif would decode the whole image
        return 1
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF does not damage the image
        return 1
    return orientation if orientation in range(1, 9) else 1


def to_srgb(image: Image.Image) -> Image.Image:
    """`image` in the colors of sRGB, by its profile if it has a usable one; else as it is."""
    if 'icc_profile' not in image.info:
        return image
    image.load()  # so that what fails below is the profile
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info['icc_profile']))
        if 'sRGB' in ImageCms.getProfileDescription(profile):
            return image
        if image.mode == 'P':
            image = image.convert('RGBA' if 'transparency' in image.info else 'RGB')
        mode = 'RGBA' if image.mode == 'RGBA' else 'RGB'
        return ImageCms.profileToProfile(image, profile, _srgb_profile(), outputMode=mode)
    except Exception:  # damaged, or for other channels: the image itself is good
        return image


@functools.lru_cache()
def _srgb_profile():
    return ImageCms.createProfile('sRGB')


def to_rgb(image: Image.Image) -> Image.Image:
    """Any image in mode RGB: alpha is flattened on white, 16 bits become 8."""
    if image.mode.startswith('I'):
        values = np.asarray(image)
        image = Image.fromarray((np.clip(values, 0, 65535) >> 8).astype(np.uint8))
    if image.mode in ('RGBA', 'LA', 'PA', 'RGBa', 'La') or 'transparency' in image.info:
        image = image.convert('RGBA')
        white = Image.new('RGBA', image.size, 'white')
        image = Image.alpha_composite(white, image)
    return image.convert('RGB')
