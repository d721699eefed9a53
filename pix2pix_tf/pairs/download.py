"""Downloads a dataset of the pix2pix paper, or draws one; interrupted downloads resume."""

import errno
import gzip
import http.client
import os
import re
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib
from typing import Optional

from tqdm import tqdm

from pix2pix_tf.pairs import draw
from pix2pix_tf.system import files, locks, temporary
from pix2pix_tf.system.errors import DataError, UsageError

URL = 'http://efrosgans.eecs.berkeley.edu/pix2pix/datasets/%s.tar.gz'
DRAWN = 'demo'  # not downloaded but drawn: it needs no network

# {name: direction of the authors of the paper, or the natural one}
DIRECTIONS = {
    'cityscapes': 'BtoA',  # labels to photo
    'edges2handbags': 'AtoB',  # edges to photo
    'edges2shoes': 'AtoB',  # edges to photo
    'facades': 'BtoA',  # labels to photo
    'maps': 'AtoB',  # aerial photo to map
    'night2day': 'AtoB',  # night to day
    DRAWN: 'BtoA',  # labels to drawing
}
NAMES = tuple(DIRECTIONS)

_DRAWN_PAIRS = {'train': 100, 'val': 12}

_TIMEOUT = 60  # seconds without a byte
_CHUNK = 1 << 16  # bytes

# The limits of an archive
_GZIP_RATIO = 1032  # of the best compression: no more can be in sparse files either
_LONGEST_READ = 1 << 20  # bytes
_DEEPEST = 100  # folders; Python removes them recursively
_SHOWN = 100  # characters

# A member's name is the cause: it is too long, invalid, or that of a file and of a folder
_NAME_ERRORS = (
    errno.ENAMETOOLONG,
    errno.EINVAL,
    errno.EILSEQ,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOTDIR,
)


def fetch(name: str, root: str, url: Optional[str] = None) -> str:
    """Creates the folder `root`/`name` from the archive of the dataset; returns its path.

    Does nothing if the folder exists. An interrupted download, kept in
    `root`/.`name`.tar.gz.part, resumes if the server still has the same file. If another process
    fetches the same dataset, this one waits for it. The dataset DRAWN is drawn instead.

    Raises:
        UsageError: `name` is not a known dataset, or with a `url`, not the name of a folder.
        DataError: the archive cannot be downloaded, or is not that of a dataset; the message names
            the URL and where to put the files by hand.
        Pix2PixError: `root` cannot be written.
    """
    target = os.path.join(root, name)
    if _is_name(name) and os.path.isdir(target):
        return target
    if not (_is_name(name) and (url or name in NAMES)):
        here = f'; for the folder here, use DATA=./{name}' if os.path.isdir(name) else ''
        raise UsageError(
            f'`name` is {name!r}, which is not a known dataset ({", ".join(NAMES)}){here}'
        )
    files.prepare_directory(root)
    with locks.locked(root, f'.{name}.lock', wait=True):
        if os.path.isdir(target):  # another process has fetched it
            return target
        if name == DRAWN and not url:
            _draw(root, target)
        else:
            _fetch(name, root, url or URL % name)
    return target


def direction_of(folder: str) -> str:
    """The default direction of the pairs in `folder`, such as data/pix2pix/maps/train."""
    name = os.path.basename(os.path.dirname(os.path.abspath(folder)))
    return DIRECTIONS.get(name, 'BtoA')


def _is_name(name):
    return bool(re.match(r'\w[\w.-]*$', name))


def _draw(root, target):
    with temporary.folder_in(root, '.drawing-') as folder:
        whole = os.path.join(folder, DRAWN)
        for seed, (part, count) in enumerate(_DRAWN_PAIRS.items(), 1):
            draw.write_pairs(os.path.join(whole, part), count, seed)
        os.rename(whole, target)


def _fetch(name, root, url):
    target = os.path.join(root, name)
    archive = os.path.join(root, f'.{name}.tar.gz.part')
    try:
        _download(url, archive)
        _unpack(archive, name, target)
    except DataError:
        _forget(archive)  # it would fail again
        raise
    except urllib.error.HTTPError as error:
        reason = f'the server returned {error.code} {error.reason}'
        raise _unavailable(url, target, reason) from error
    except urllib.error.URLError as error:
        raise _unavailable(url, target, error.reason) from error
    except (OSError, http.client.HTTPException) as error:
        raise _unavailable(url, target, error) from error
    except ValueError as error:  # from urllib; an invalid archive raises DataError
        raise UsageError(
            f'`url` is {url}: it must be like http://host/{name}.tar.gz or '
            f'file:///folder/{name}.tar.gz'
        ) from error
    _forget(archive)


def _unavailable(url, target, reason):
    return DataError(
        f'cannot download {url} ({reason}): run it again to resume, or put its train and val '
        f'folders into {target} by hand; DATA={DRAWN} needs no network'
    )


def _download(url, archive):
    """Downloads `url` to the file `archive`, adding to the part that is already there."""
    done = os.path.getsize(archive) if os.path.exists(archive) else 0
    request = urllib.request.Request(url)
    validator = _read_validator(archive)
    if done and validator:
        # The server sends the rest if its file has not changed, otherwise all of it
        request.add_header('Range', f'bytes={done}-')
        request.add_header('If-Range', validator)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is missing: only the unpacking was interrupted
            return
        raise
    with response:
        resumed = getattr(response, 'status', None) == 206
        if not resumed:
            done = 0
            _write_validator(archive, response.headers)
        length = response.headers.get('Content-Length')
        total = done + int(length) if length else None
        mode = os.O_APPEND if resumed else os.O_TRUNC
        # A link with this name would lead to a file of other programs
        opened = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | mode, 0o666)
        with open(opened, 'ab' if resumed else 'wb') as file, tqdm(
            desc=os.path.basename(url),
            initial=done,
            total=total,
            unit='B',
            unit_scale=True,
            disable=None,
        ) as bar:
            for chunk in iter(lambda: response.read(_CHUNK), b''):
                file.write(chunk)
                done += len(chunk)
                bar.update(len(chunk))
    if total is not None and done != total:
        raise OSError(f'it ended after {done} of {total} bytes')


def _read_validator(archive):
    try:
        with open(archive + '.tag') as file:
            return file.read()
    except OSError:
        return None


def _write_validator(archive, headers):
    """Stores what identifies the server's file, so that a later request resumes only that file."""
    etag = headers.get('ETag', '')
    validator = headers.get('Last-Modified') if etag.startswith('W/') or not etag else etag
    files.write_whole(archive + '.tag', (validator or '').encode())


def _forget(archive):
    for path in (archive, archive + '.tag'):
        if os.path.exists(path):
            os.remove(path)


def _unpack(archive: str, name: str, target: str) -> None:
    """Unpacks the folder `name` of a .tar.gz to `target`, which appears only when it is complete.

    Only plain files and folders are unpacked, without their permissions and owners. Names that
    start with a dot are left out: macOS adds such files to archives.

    Raises:
        DataError: it is not a .tar.gz file, a member would leave the folder or cannot be created,
            or there is no folder `name`.
    """
    root = os.path.dirname(target) or '.'
    temporary = os.path.join(root, f'.{name}.unpacking')
    shutil.rmtree(temporary, ignore_errors=True)
    room = os.path.getsize(archive) * _GZIP_RATIO
    try:
        os.mkdir(temporary)
        with _Stream(archive) as stream:
            with tarfile.open(fileobj=stream, mode='r:', tarinfo=_Member) as tar:
                for member in tar:
                    if member.issparse():  # its holes take no space in the archive
                        room -= member.size
                    if room < 0:
                        raise _invalid(f'{_shown(member.name)} would take {member.size} bytes')
                    _extract(tar, member, temporary)
            # gzip compares the checksum at the end of the file, after the end of the tar
            while stream.read(_CHUNK):
                pass
        unpacked = os.path.join(temporary, name)
        if not os.path.isdir(unpacked):
            raise DataError(f'the archive of {name} has no folder {name}')
        os.rename(unpacked, target)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if getattr(error, 'errno', None):  # from the disk; gzip's own OSErrors have no number
            raise
        raise DataError(
            f'the download of {name} is not a complete .tar.gz ({error}): check its URL'
        ) from error
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        # From tarfile's code for headers, which differs between the versions of Python
        raise _invalid(f'a header cannot be read ({error})') from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract(tar, member, directory):
    name, parts = _shown(member.name), member.name.split('/')
    if member.name.startswith('/') or '..' in parts or '\\' in member.name:
        raise _invalid(f'{name} would leave its folder')
    if not (member.isdir() or member.isfile()):
        raise _invalid(f'{name} is neither a file nor a folder')
    parts = [part for part in parts if part not in ('', '.')]
    if len(parts) > _DEEPEST:
        raise _invalid(f'{name} is in {len(parts) - 1} folders')
    if any(part.startswith('.') for part in parts):
        return
    path = os.path.join(directory, *parts)
    try:
        if member.isdir():
            os.makedirs(path, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with tar.extractfile(member) as source, open(path, 'wb') as file:
                shutil.copyfileobj(source, file)
    except OSError as error:
        if error.errno not in _NAME_ERRORS:
            raise
        raise _invalid(f'{name} cannot be created ({error.strerror})') from error


def _invalid(reason):
    return DataError(f'the archive is invalid: {reason}; use another one')


def _shown(name):
    """The name of a member in messages: it may have any length and any characters."""
    return repr(name if len(name) <= _SHOWN else name[:_SHOWN] + '...')


class _Stream(gzip.GzipFile):
    """Does not read much at once: tarfile reads headers whole, whatever size they claim."""

    def read(self, size=-1):
        if not 0 <= size <= _LONGEST_READ:
            raise _invalid(f'a header has {size} bytes')
        return super().read(size)


class _Member(tarfile.TarInfo):
    """A member whose header is valid.

    tarfile takes an invalid header for the end of the archive, and before Python 3.13.6 reads one
    with a negative size again and again.
    """

    @classmethod
    def fromtarfile(cls, archive):
        try:
            member = super().fromtarfile(archive)
        except (tarfile.EOFHeaderError, tarfile.EmptyHeaderError):  # the end of the archive
            raise
        except tarfile.HeaderError as error:
            raise _invalid(f'a header cannot be read ({error})') from error
        end = 0
        for start, length in member.sparse or ():
            if length and (start < end or length < 0):
                raise _invalid(f'{_shown(member.name)} has an invalid map of its holes')
            end = max(end, start + length)
        if member.size < 0:
            raise _invalid(f'{_shown(member.name)} has a negative size ({member.size})')
        written = member.pax_headers.get('size', '0')
        if not re.fullmatch('[0-9]+', written):  # which tarfile takes for 0
            raise _invalid(f'{_shown(member.name)} has the size {_shown(written)}')
        return member
