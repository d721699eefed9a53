"""Reading any image that Pillow opens, as people see it."""

import contextlib
import functools
import io
import os
import typing
import warnings

import numpy as np
from PIL import Image, ImageCms, ImageOps

from pix2pix_tf.pairs import find
from pix2pix_tf.system import files
from pix2pix_tf.system.errors import DataError

MAX_PIXELS = 2**26  # of an image for a pair: it then takes less than 200 MiB

Decoder = typing.Callable[[bytes], np.ndarray]  # of a file => [height, width, 3] uint8


def read_image(
    contents: bytes,
    name: str,
    decode_jpeg: typing.Optional[Decoder] = None,
    srgb: bool = False,
    side: typing.Optional[int] = None,
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
            decoded = Image.fromarray(decode_jpeg(contents))
            decoded.info['exif'] = image.info.get('exif', b'')
            return _upright(decoded).convert('RGB')
        if side:
            image.draft(None, (side, side))
        upright = _upright(image)
        return to_rgb(to_srgb(upright) if srgb else upright)


def read_for_pair(path: str, srgb: bool = False, side: typing.Optional[int] = None) -> Image.Image:
    """`read_image` of a file, if it has at most MAX_PIXELS.

    Raises:
        DataError: it cannot be read, or has more; the message begins with the path.
    """
    contents = files.read(path)
    with opened(contents, path) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise DataError(f'has {width}x{height} pixels, over {MAX_PIXELS}: scale it down')
    return read_image(contents, path, srgb=srgb, side=side)


@contextlib.contextmanager
def opened(contents: bytes, name: str) -> typing.Iterator[Image.Image]:
    """The image in the bytes of a file, of which only the header has been read.

    Raises:
        DataError: it cannot be read, now or inside the block; the message begins with `name`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # Pillow warns of large images and of damaged EXIF
            with Image.open(io.BytesIO(contents)) as image:
                yield image
    except DataError as error:
        raise DataError(f'{name} {error}') from error
    except Image.DecompressionBombError as error:
        raise DataError(f'{name} has too many pixels to be read safely: scale it down') from error
    except Exception as error:  # damaged files raise more kinds than Pillow documents
        words = ' '.join(str(error).split())
        if isinstance(error, Image.UnidentifiedImageError):
            words = 'unknown format'
        raise DataError(f'{name} cannot be read as an image ({words})') from error


def _upright(image):
    try:
        return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError):  # of the pixels
        raise
    except Exception:  # damaged EXIF does not damage the image
        return image


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


def find_images(
    paths: typing.Sequence[str], leave_out: typing.Optional[str] = None
) -> typing.Tuple[typing.List[typing.Tuple[str, str]], typing.List[str]]:
    """([(path, path below the folder that was given)], paths of other files) in `paths`.

    Folders are walked, in order of names; files in them count if their extension is one that
    Pillow knows. Hidden files and the folder `leave_out` do not count, and a file that two
    of `paths` lead to counts as it was given last.

    Raises:
        DataError: a path does not exist, or a folder cannot be read.
    """
    Image.init()
    extensions = set(Image.registered_extensions()) - {'.pdf'}  # which Pillow only writes
    found, others = [], []
    for path in paths:
        if not os.path.isdir(path):
            if not os.path.exists(path):
                raise DataError(f'no file or folder {path}')
            found.append((path, os.path.basename(path)))
            continue
        seen = set()
        for folder, subfolders, names in os.walk(path, onerror=_raise, followlinks=True):
            if os.path.realpath(folder) in seen:  # a link to a folder above
                subfolders.clear()
                continue
            seen.add(os.path.realpath(folder))
            subfolders[:] = sorted(
                name
                for name in subfolders
                if name[0] != '.'
                and not (leave_out and _same(os.path.join(folder, name), leave_out))
            )
            visible = [name for name in names if not name.startswith('.')]
            images = [n for n in visible if os.path.splitext(n)[1].lower() in extensions]
            others += [os.path.join(folder, n) for n in sorted(set(visible) - set(images))]
            for name in sorted(images, key=find.by_number):
                file = os.path.join(folder, name)
                found.append((file, os.path.relpath(file, path)))
    # Files of one folder may be links to equal contents: each counts
    place = os.path.realpath if len(paths) > 1 else os.path.abspath
    unique = {place(path): (path, below) for path, below in found}
    return list(unique.values()), others


def _raise(error):
    raise DataError(f'{error.filename} cannot be read ({error.strerror})') from error


def _same(path, other):
    return os.path.realpath(path) == os.path.realpath(other)
