"""Folders of side-by-side pairs: finding the images and checking their headers."""

import os
import re
import stat
import typing
import warnings

from PIL import Image

from pix2pix_tf.system.errors import DataError

EXTENSIONS = ('.jpg', '.jpeg', '.png')
FORMATS = ('JPEG', 'PNG')
MAX_PIXELS = 2**24  # per pair: decoding and scaling it then takes less than 1 GiB
MAX_FILES_NAMED = 20  # bad files that one message names


def find_pairs(folder: str, skip_bad_files: bool = False, option: str = 'data') -> typing.List[str]:
    """The paths of all usable pairs in `folder`, sorted; see `find_images` and `check_images`."""
    return check_images(find_images(folder, option), skip_bad_files)


def find_images(folder: str, option: str = 'data') -> typing.List[str]:
    """The paths of the JPEG and PNG files in `folder`, sorted; names that are numbers by number.

    Raises:
        DataError: there is no such folder, or no image in it; the message names `option`.
    """
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise DataError(
            f'no data folder {folder} ({error.strerror}): choose one with `{option}`, or see '
            '`make data`'
        ) from error
    names = [name for name in names if name.lower().endswith(EXTENSIONS)]
    if not names:
        raise DataError(f'no image in {folder}: it has no file named *.jpg, *.jpeg or *.png')
    return [os.path.join(folder, name) for name in sorted(names, key=_by_number)]


def _by_number(name):
    stem = os.path.splitext(name)[0]
    if re.match('[0-9]+$', stem):
        return 0, int(stem), name
    return 1, 0, name


def check_images(paths: typing.Sequence[str], skip_bad_files: bool = False) -> typing.List[str]:
    """The paths whose files can be pairs, judging by every file's header.

    Raises:
        DataError: some files are bad and `skip_bad_files` is off, or all are bad. The message
            names up to MAX_FILES_NAMED of them, each with its fault.
    """
    faults = [(path, header_fault(path)) for path in paths]
    bad = [f'{path} {fault}' for path, fault in faults if fault]
    good = [path for path, fault in faults if not fault]
    if bad and not (skip_bad_files and good):
        rest = f'; and {len(bad) - MAX_FILES_NAMED} more' if len(bad) > MAX_FILES_NAMED else ''
        advice = 'repair or remove them, or skip them with `skip_bad_files`'
        raise DataError(f'{"; ".join(bad[:MAX_FILES_NAMED])}{rest}: {advice}')
    return good


def header_fault(path: str) -> typing.Optional[str]:
    """What is wrong with the header of the image at `path`, in words; None if nothing is."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return 'is not a file'
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # Pillow warns of large images; they are checked below
            with Image.open(path) as image:
                format_, (width, height) = image.format, image.size
    except Image.DecompressionBombError:
        return f'has more than {MAX_PIXELS} pixels'
    except OSError as error:
        return f'cannot be read as an image ({error.strerror or "unknown format"})'
    except Exception as error:  # damaged files raise more kinds than Pillow documents
        return f'cannot be read as an image ({" ".join(str(error).split())})'
    if format_ not in FORMATS:
        return f'is a {format_} file, not JPEG or PNG'
    if width < 2:
        return f'is {width} pixel wide, so it cannot be split into two halves'
    if width % 2:
        return f'is {width} pixels wide, an odd number, so it cannot be split into two halves'
    if width * height > MAX_PIXELS:
        return f'has {width}x{height} pixels, more than {MAX_PIXELS}'
    return None
