"""Folders of side-by-side pairs: finding the images and checking their headers."""

import collections
import os
import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from PIL import Image

from pix2pix_tf.pairs import read, record
from pix2pix_tf.system.console import count
from pix2pix_tf.system.errors import DataError

EXTENSIONS = ('.jpg', '.jpeg', '.png')
OTHER_EXTENSIONS = ('.bmp', '.gif', '.webp', '.tif', '.tiff', '.heic', '.heif', '.avif')
FORMATS = ('JPEG', 'PNG', 'MPO')  # MPO: JPEG with a second image inside, as phones write it
MAX_PIXELS = 2**24  # per pair: decoding and scaling it then takes less than 1 GiB
MAX_FILES_NAMED = 20  # bad files that one message names

# Folders and files of systems and storage devices, in lower case: thumbnails, trash, snapshots
_SYSTEM_NAMES = {
    *('@eadir', '@recently-snapshot', '@recycle', '@sharebin', '@sharesnap', '@tmp', '#recycle'),
    *('#snapshot', '$recycle.bin', 'recycler', 'recycled', 'system volume information'),
    *('__macosx', 'lost+found', 'network trash folder', 'temporary items', 'icon\r'),
    *('thumbs.db', 'ehthumbs.db', 'desktop.ini'),
}

# Why a file is not an image, by its extension
_HEIC = 'is a HEIC file, which Pillow does not read: convert it, for example with `heif-convert`'
_VIDEO = 'is a video: save its frames as images'
_KINDS = {
    **dict.fromkeys(('.heic', '.heif'), _HEIC),
    **dict.fromkeys(('.mp4', '.mpg', '.mpeg', '.mov', '.avi', '.mkv', '.webm', '.m4v'), _VIDEO),
}

WidthHeight = Tuple[int, int]  # in pixels


class Pairs(NamedTuple):
    """The usable pairs of a folder."""

    paths: List[str]  # sorted; names that are numbers by number
    sizes: List[WidthHeight]  # of the files
    notes: List[str]  # lines about the folder, to be printed


class Header(NamedTuple):
    """The size of an image and its fault, by the header of the file."""

    size: WidthHeight
    fault: Optional[str]  # why it cannot be a pair, in words


def find_pairs(
    folder: str,
    skip_bad_files: bool = False,
    option: str = 'data',
    limit: Optional[int] = None,
    panels: int = 2,
    bits: int = 8,
) -> Pairs:
    """The usable pairs in `folder`, among its first `limit` images.

    `panels` is the number of images side by side in a file, `bits` that of their values.

    Raises:
        DataError: there is no such folder, no image in it, or a bad file that is not skipped; or
            its pairs.json says that its files have another number of panels.
    """
    paths, notes = find_images(folder, option)
    recorded = record.panels_in(folder)
    if recorded and 'a' not in recorded:
        raise DataError(f'{folder} has inputs without targets, which only a prediction takes')
    if recorded and len(recorded) != panels:
        raise DataError(
            f'{folder} has files of {len(recorded)} images side by side, not {panels}: use '
            + record.describe_flags(recorded)
        )
    headers = {path: read_header(path, panels, bits) for path in paths[:limit]}
    good = check_headers(headers, skip_bad_files)
    if len(good) < len(headers):
        notes.append(f'skipping {count(len(headers) - len(good), "bad file")} of {len(headers)}')
    sizes = [headers[path].size for path in good]
    return Pairs(good, sizes, notes + doubts(folder, sizes, panels))


def find_images(folder: str, option: str = 'data') -> Tuple[List[str], List[str]]:
    """The paths of the JPEG and PNG files in `folder`, sorted, and notes about other images.

    Hidden names and those of systems do not count: see `is_ignored`.

    Raises:
        DataError: there is no such folder, or no image in it; the message names `option`.
    """
    try:
        names = [name for name in os.listdir(folder) if not is_ignored(name)]
    except OSError as error:
        raise DataError(
            f'no data folder {folder} ({error.strerror}): choose one with `{option}`, or see '
            '`make data`'
        ) from error
    images = [name for name in names if name.lower().endswith(EXTENSIONS)]
    others = sorted(name for name in names if name.lower().endswith(OTHER_EXTENSIONS))
    if not images:
        raise DataError(f'no JPEG or PNG image in {folder}: {_contents(folder, names)}')
    notes = []
    if others:
        verb = 'is' if len(others) == 1 else 'are'
        notes.append(
            f'leaving out {count(len(others), "file")} of {folder} that {verb} not JPEG or PNG: '
            f'{_some(others)}; convert them to use them'
        )
    return [os.path.join(folder, name) for name in sorted(images, key=by_number)], notes


def is_ignored(name: str) -> bool:
    """Whether a file or folder is hidden, or made by a system, such as thumbnails and trash."""
    return name.startswith('.') or name.lower() in _SYSTEM_NAMES


def walk_images(
    paths: Sequence[str], leave_out: Optional[str] = None, more: Sequence[str] = ()
) -> Tuple[List[Tuple[str, str]], List[str]]:
    """([(path, path below the folder that was given)], paths of other files) in `paths`.

    Folders are walked, in order of names; regular files in them count if their extension is one
    that Pillow reads, or one of `more`. The folder `leave_out` and what `is_ignored` do not count.
    A file that two of `paths` contain counts once, for the last of them.

    Raises:
        DataError: a path does not exist or is a pipe or a device, or a folder cannot be read.
    """
    extensions = {*_extensions(), *more}
    found, others = [], []
    for path in paths:
        if not os.path.isdir(path):
            if not os.path.exists(path):
                raise DataError(f'no file or folder {path}')
            if not os.path.isfile(path):
                raise DataError(f'{path} is not a file')
            found.append((path, os.path.basename(path)))
            continue
        seen = set()
        for folder, subfolders, names in os.walk(path, onerror=_raise_unreadable, followlinks=True):
            if os.path.realpath(folder) in seen:  # a link to a folder above
                subfolders.clear()
                continue
            seen.add(os.path.realpath(folder))
            subfolders[:] = sorted(
                name
                for name in subfolders
                if not is_ignored(name)
                and not (leave_out and _is_same_folder(os.path.join(folder, name), leave_out))
            )
            for name in sorted(names, key=by_number):
                file = os.path.join(folder, name)
                if is_ignored(name):
                    continue
                # A link to nowhere counts: it is named when it is read
                special = os.path.exists(file) and not os.path.isfile(file)
                if special or os.path.splitext(name)[1].lower() not in extensions:
                    others.append(file)
                else:
                    found.append((file, os.path.relpath(file, path)))
    # Files of one folder may be links to equal contents: each counts
    place = os.path.realpath if len(paths) > 1 else os.path.abspath
    unique = {place(path): (path, below) for path, below in found}
    return list(unique.values()), others


def _extensions():
    Image.init()
    registered = Image.registered_extensions().items()
    return {extension for extension, format in registered if format not in read.NOT_READ}


def reason_of(path: str) -> str:
    """Why `walk_images` does not take a file for an image, in words."""
    extension = os.path.splitext(path)[1].lower()
    if os.path.exists(path) and not os.path.isfile(path):
        return 'is not a file'
    return _KINDS.get(extension, 'is not an image, by its extension')


def left_out(others: Sequence[str]) -> List[str]:
    """Lines that count files which are not images, and name those that could be converted."""
    named = [path for path in others if os.path.splitext(path)[1].lower() in _KINDS]
    lines = [f'{path} {reason_of(path)}' for path in named[:MAX_FILES_NAMED]]
    rest = len(others) - len(lines)
    if rest:
        verb = 'is not an image' if rest == 1 else 'are not images'
        lines.append(f'leaving out {count(rest, "file")} that {verb}')
    return lines


def _raise_unreadable(error):
    raise DataError(f'{error.filename} cannot be read ({error.strerror})') from error


def _is_same_folder(path, other):
    return os.path.realpath(path) == os.path.realpath(other)


def by_number(name: str) -> Tuple[int, int, str]:
    """Sorts names that are numbers by number, before the others."""
    stem = os.path.splitext(name)[0]
    if re.match('[0-9]+$', stem):
        return 0, int(stem), name
    return 1, 0, name


def _contents(folder, names):
    """The contents of a folder without images, and what to do."""
    if not names:
        return 'it is empty'
    folders = sorted(name for name in names if os.path.isdir(os.path.join(folder, name)))
    if len(folders) == len(names):
        return f'it has only folders ({_some(folders)}); choose the one with the images'
    kinds = collections.Counter(
        os.path.splitext(name)[1].lower() or 'no extension' for name in names
    )
    listed = ', '.join(f'{number} {kind}' for kind, number in kinds.most_common(5))
    return f'it has {count(len(names), "other file")} ({listed}); convert images to JPEG or PNG'


def _some(names):
    return ', '.join(names[:5]) + (', ...' if len(names) > 5 else '')


def doubts(folder: str, sizes: Sequence[WidthHeight], panels: int = 2) -> List[str]:
    """[a question] if most files in `folder` look like more or fewer images than `panels`."""
    if panels != 2:
        squares = collections.Counter(round(width / height) for width, height in sizes if height)
        number = squares.most_common(1)[0][0] if sizes else panels
        exact = sum(abs(width - number * height) <= 0.02 * width for width, height in sizes)
        if number in (panels, 0) or 2 * exact <= len(sizes):
            return []
        return [
            f'most files in {folder} are {number} times as wide as high: do they have '
            f'{count(number, "image")}? `input_panels` and `output_panels` add up to {panels}'
        ]
    single = sum(width <= height for width, height in sizes)
    triple = sum(abs(width - 3 * height) <= 0.02 * width for width, height in sizes)
    if 2 * single > len(sizes):
        return [
            f'most files in {folder} are no wider than high: are they single images? A pair has '
            'two images side by side'
        ]
    if 2 * triple > len(sizes):
        return [
            f'most files in {folder} are three times as wide as high: do they have three images? '
            'A pair has two, see `input_panels`'
        ]
    return []


def check_headers(headers: Dict[str, Header], skip_bad_files: bool = False) -> List[str]:
    """The paths whose headers ({path: Header}) have no fault.

    Raises:
        DataError: some files are bad and `skip_bad_files` is off, or all are bad. The message
            names up to MAX_FILES_NAMED of them, each with its fault.
    """
    bad = [f'{path} {header.fault}' for path, header in headers.items() if header.fault]
    good = [path for path, header in headers.items() if not header.fault]
    if bad and not (skip_bad_files and good):
        rest = f'; and {len(bad) - MAX_FILES_NAMED} more' if len(bad) > MAX_FILES_NAMED else ''
        them = 'it' if len(bad) == 1 else 'them'
        advice = f'repair or remove {them}, or skip {them} with `skip_bad_files`'
        raise DataError(f'{"; ".join(bad[:MAX_FILES_NAMED])}{rest}: {advice}')
    return good


def read_header(path: str, panels: int = 2, bits: int = 8) -> Header:
    """The Header of the image at `path`; its size is (0, 0) if it has none."""
    try:
        with read.opened(path, path) as image:
            return Header(image.size, _fault(image, panels, bits))
    except read.TooManyPixels:
        return Header((0, 0), f'has more than {MAX_PIXELS} pixels: scale it down')
    except read.Unreadable as error:
        return Header((0, 0), error.fault)


def _fault(image, panels, bits):
    """Why an opened image cannot be a pair, in words; None if it can."""
    width, height = image.size
    if image.format not in FORMATS:
        return f'is a {image.format} file, not JPEG or PNG'
    if bits == 16 and image.format != 'PNG':
        return 'is a JPEG file, whose values have 8 bits: `bits`=16 needs PNG'
    if panels != 2 and width % panels:
        return f'is {width} pixels wide, so it cannot be split into {panels} panels'
    if width < 2:
        return f'is {width} pixel wide, so it cannot be split into two halves'
    if width % panels:
        return f'is {width} pixels wide, an odd number, so it cannot be split into two halves'
    if width * height > MAX_PIXELS:
        factor = (MAX_PIXELS / (width * height)) ** 0.5
        fitting_width = max(panels, int(width * factor) // panels * panels)
        fitting = f'{fitting_width}x{max(1, int(height * factor))}'
        return f'has {width}x{height} pixels, more than {MAX_PIXELS}: scale it down to {fitting}'
    orientation = read.orientation_of(image)
    if orientation != 1:
        return (
            f'has the EXIF orientation {orientation}: viewers rotate it, TensorFlow does not; save '
            'it upright, for example with `mogrify -auto-orient`'
        )
    if 'transparency' in image.info and image.mode != 'P':
        return (
            'has a transparent color: viewers hide it, TensorFlow does not; make it white, for '
            'example with `mogrify -background white -alpha remove`'
        )
    return None


def describe_panels(sizes: Sequence[WidthHeight], panels: int = 2) -> str:
    """The sizes of the panels of files, in words: '256x256', or '200x300 to 600x600'."""
    found = sorted(
        {(width // panels, height) for width, height in sizes}, key=lambda s: (s[0] * s[1], s)
    )
    smallest, largest = (f'{width}x{height}' for width, height in (found[0], found[-1]))
    return smallest if smallest == largest else f'{smallest} to {largest}'
