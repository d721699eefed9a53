"""Reads any image that Pillow supports, upright and in sRGB."""

import contextlib
import functools
import io
import os
import re
import stat
import struct
import warnings
from typing import Callable, Iterator, Optional, Tuple, Union

import numpy as np
from PIL import Image, ImageCms, ImageOps

from pix2pix_tf.pairs import costs
from pix2pix_tf.system.console import count
from pix2pix_tf.system.errors import DataError

MAX_SOURCE_PIXELS = 2**26  # of an image for a pair: it then takes less than 200 MiB

# Formats of Pillow that are not decoded: EPS is a program, which Ghostscript runs, MPEG is video,
# and the others it only writes, or only names
NOT_READ = ('EPS', 'PDF', 'MPEG', 'BUFR', 'GRIB', 'HDF5', 'WMF')

FLOATS = 'has float values, whose range is unknown: scale them to 0 to 255, and save it with 8 bits'

_ORIENTATION = 0x0112  # EXIF tag; 1 means upright
_TURNS = {  # by orientation
    2: Image.FLIP_LEFT_RIGHT,
    3: Image.ROTATE_180,
    4: Image.FLIP_TOP_BOTTOM,
    5: Image.TRANSPOSE,
    6: Image.ROTATE_270,
    7: Image.TRANSVERSE,
    8: Image.ROTATE_90,
}

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
        if image.mode == 'F':
            raise Unreadable(name, FLOATS)
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
    """`read_image` of a file, if at most MAX_SOURCE_PIXELS are decoded and 8 bits suffice for it.

    Raises:
        DataError: it cannot be read, has more pixels, or class ids that would become one color; the
            message begins with the path.
    """
    contents = read_file(path)
    with opened(contents, path) as image:
        width, height = image.size
        # A progressive JPEG file is kept whole while it is decoded, whatever its scale
        if side and not image.info.get('progressive'):
            image.draft(None, (side, side))
        if image.width * image.height > MAX_SOURCE_PIXELS:
            raise DataError(
                f'{path} has {width}x{height} pixels, over {MAX_SOURCE_PIXELS}: scale it down'
            )
        if image.mode.startswith('I'):
            ids = _values(image, path)
            if len(ids) <= MOST_IDS and len(set(ids >> 8)) < len(ids):
                colors = count(len(set(ids >> 8)), 'color')
                raise DataError(
                    f'{path} has 16 bits per pixel, but only {describe_ids(ids)}, which would '
                    f'become {colors}: give class ids colors with `colorize`'
                )
    return read_image(contents, path, srgb=srgb, side=side)


MOST_IDS = 256  # in one file

_SEEN = 2**16  # values


def _values(image, name):
    """The values in an image of one channel, sorted; those of over 16 bits are clipped."""
    with decoding(name):
        image.load()  # an error in asarray is lost in older versions
        pixels = np.asarray(image)
    seen = np.zeros(_SEEN, bool)
    for row in pixels:
        seen[np.clip(row, 0, _SEEN - 1)] = True
    return np.flatnonzero(seen)


def describe_ids(ids: np.ndarray) -> str:
    """'6 values from 0 to 5'."""
    return f'{count(len(ids), "value")} from {ids[0]} to {ids[-1]}'


def read_ids(path: str) -> Optional[np.ndarray]:
    """The class ids in a gray file, [height, width]; None if it has colors.

    Raises:
        DataError: it cannot be read; the message begins with the path.
    """
    contents = read_file(path)
    with opened(contents, path) as image:
        if image.width * image.height > MAX_SOURCE_PIXELS:
            raise DataError(f'{path} has over {MAX_SOURCE_PIXELS} pixels: scale it down')
        with decoding(path):
            if image.mode == '1' or image.mode.startswith('I'):
                image.load()
                return np.clip(np.asarray(_upright(image)).astype(np.int64), 0, _SEEN - 1)
    image = np.asarray(read_image(contents, path))
    gray = (image == image[..., :1]).all()
    return image[..., 0].astype(np.int64) if gray else None


def doubt_of(contents: bytes, name: str) -> Optional[str]:
    """A line if the values of an image fill so little of 16 bits that it is dark; else None.

    Raises:
        DataError: it cannot be read; the message begins with `name`.
    """
    with opened(contents, name) as image:
        if not image.mode.startswith('I'):
            return None
        ids = _values(image, name)
    if ids[-1] == 0 or ids[-1] > _SEEN // 4:
        return None
    return (
        f'{name} has 16 bits per pixel, but only {describe_ids(ids)}, of {_SEEN - 1}, so it is '
        'nearly black: scale its values to the whole range, or save it with 8 bits'
    )


def read_file(path: str) -> bytes:
    """The contents of a file that may be an image: a regular one, not a pipe or a device.

    Raises:
        Unreadable: it cannot be read; the message begins with the path.
    """
    with decoding(path), _regular(path) as file:
        return file.read()


def _regular(path):
    """The opened file. Nothing else is opened, since a pipe could be waited for without end."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise Unreadable(path, 'is not a file')
    return open(path, 'rb', buffering=0)


class Unreadable(DataError):
    """A file that Pillow cannot read as an image."""

    def __init__(self, name: str, fault: str) -> None:
        super().__init__(name, fault)  # both: an exception of another process is built from them
        self.fault = fault  # the message without the name

    def __str__(self) -> str:
        return ' '.join(self.args)


class TooManyPixels(Unreadable):
    """An image that is too large to be decoded safely."""


class TooExpensive(Unreadable):
    """An image of a few pixels or bytes that would take minutes or gigabytes to decode."""


@contextlib.contextmanager
def opened(
    source: Union[str, bytes], name: str, formats: Optional[Tuple[str, ...]] = None
) -> Iterator[Image.Image]:
    """The image in a file, given by its path or its bytes; only its header has been read.

    Calls that read its pixels belong inside `decoding`. `formats` are names of Pillow's formats, by
    default all but NOT_READ. Every image passes through here before it is decoded.

    Raises:
        TooManyPixels, TooExpensive, Unreadable: the message begins with `name`.
    """
    if formats is None:
        Image.init()
        formats = tuple(one for one in Image.ID if one not in NOT_READ)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # Pillow warns of large images and of damaged EXIF
        with decoding(name), _binary(source) as file:
            fault = costs.fault_of(file)
            file.seek(0)
            head = file.read(_HEAD)
        if fault:
            raise TooExpensive(name, fault)
        with decoding(name, head):
            image = _open(source, formats)
        with image:
            if max(image.size) > costs.MAX_SIDE:
                width, height = image.size
                fault = f'has {width}x{height} pixels, and over {costs.MAX_SIDE} on one side'
                raise TooExpensive(name, f'{fault}: cut it into pieces')
            if any(tile[0] == 'bmp_rle' for tile in image.tile or ()):
                raise TooExpensive(name, costs.COMPRESSED_BMP)
            yield image


def _binary(source):
    return io.BytesIO(source) if isinstance(source, bytes) else _regular(source)


def _open(source, formats):
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        return Image.open(file, formats=formats)
    except Image.UnidentifiedImageError:
        # To older Pillows, damaged EXIF makes a JPEG file unknown
        if not isinstance(source, bytes):
            source = read_file(source)
        plain = _without_exif(source)
        if plain == source:
            raise
        return Image.open(io.BytesIO(plain), formats=formats)


def _without_exif(jpeg):
    """The bytes of a JPEG file whose EXIF, if it has any, is no longer found."""
    return jpeg.replace(b'Exif\0\0', b'exif\0\0', 1) if jpeg[:3] == b'\xff\xd8\xff' else jpeg


# What a file is that Pillow does not know, by its first bytes
_HEAD = 64
_OTHERS = (
    (b'version https://git-lfs', 'is a pointer of Git LFS, not the file: run `git lfs pull`'),
    (b'....ftyp(hei|hev|mif1|msf1)', 'is a HEIC file: convert it to JPEG, with `heif-convert`'),
    (b'....ftypavi[fs]', 'is an AVIF file, which this Pillow cannot read: convert it to PNG'),
    (b'....ftyp|\x1a\x45\xdf\xa3|\0\0\1[\xb3\xba]', 'is a video: save its frames as images'),
    (b'\\s*<(!doctype html|html)', 'is a web page, not an image: download it again'),
)


@contextlib.contextmanager
def decoding(name: str, head: bytes = b'') -> Iterator[None]:
    """For a block that only decodes an image by Pillow: any exception becomes Unreadable.

    `head` are the first bytes of the file, which tell more about an unknown format.

    Raises:
        TooManyPixels, Unreadable: the message begins with `name`.
    """
    try:
        yield
    except Unreadable:
        raise
    except Image.DecompressionBombError as error:
        fault = 'has too many pixels to be read safely: scale it down'
        raise TooManyPixels(name, fault) from error
    except Exception as error:  # damaged files raise more kinds than Pillow documents
        words = ' '.join((getattr(error, 'strerror', None) or str(error)).split())
        if isinstance(error, Image.UnidentifiedImageError):
            for pattern, fault in _OTHERS:
                if re.match(pattern, head, re.S | re.I):
                    raise Unreadable(name, fault) from error
            words = 'unknown format'
        raise Unreadable(name, f'cannot be read as an image ({words})') from error


def _upright(image):
    if image.format == 'TIFF':  # whose orientation is not in EXIF
        try:
            return ImageOps.exif_transpose(image)
        except Exception:  # damaged tags do not damage the image
            return image
    turn = _TURNS.get(orientation_of(image))
    return image if turn is None else image.transpose(turn)


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, from 1 (upright) to 8; 1 if it is missing or damaged.

    Read without Pillow, whose older versions take gigabytes for EXIF of 1 MB.
    """
    exif = image.info.get('exif') or b''
    block = exif[6:] if exif.startswith(b'Exif\0\0') else exif
    order = {b'II': '<', b'MM': '>'}.get(block[:2])
    if order is None:
        return 1
    try:
        [start] = struct.unpack_from(order + 'L', block, 4)
        [tags] = struct.unpack_from(order + 'H', block, start)
        for at in range(start + 2, start + 2 + 12 * tags, 12):
            tag, kind, values = struct.unpack_from(order + 'HHL', block, at)
            if tag == _ORIENTATION:
                size = {1: 'B', 3: 'H', 4: 'L'}.get(kind)
                if size is None or values != 1:
                    return 1
                [orientation] = struct.unpack_from(order + size, block, at + 8)
                return orientation if orientation in _TURNS else 1
    except struct.error:
        return 1
    return 1


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
    """Any image in mode RGB: alpha is flattened on white, 16 bits become 8.

    Raises:
        Unreadable: its values are floats.
    """
    if image.mode == 'F':
        raise Unreadable('the image', FLOATS)
    if image.mode.startswith('I'):
        values = np.asarray(image)
        image = Image.fromarray((np.clip(values, 0, 65535) >> 8).astype(np.uint8))
    if image.mode in ('RGBA', 'LA', 'PA', 'RGBa', 'La') or 'transparency' in image.info:
        image = image.convert('RGBA')
        white = Image.new('RGBA', image.size, 'white')
        image = Image.alpha_composite(white, image)
    return image.convert('RGB')
