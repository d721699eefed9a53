"""Downloads a dataset of the pix2pix paper: fetch, resume, unpack."""

import gzip
import http.client
import os
import re
import shutil
import tarfile
import typing
import urllib.error
import urllib.request
import zlib

from tqdm import tqdm

from pix2pix_tf.system import files
from pix2pix_tf.system.errors import DataError, UsageError

URL = 'http://efrosgans.eecs.berkeley.edu/pix2pix/datasets/%s.tar.gz'
NAMES = ('cityscapes', 'edges2handbags', 'edges2shoes', 'facades', 'maps', 'night2day')

_CHUNK = 1 << 16
_TIMEOUT = 60  # seconds without a byte


def fetch(name: str, root: str, url: typing.Optional[str] = None) -> str:
    """Creates the folder `root`/`name` from the archive of the dataset; returns its path.

    Does nothing if the folder exists. An interrupted download, kept in
    `root`/.`name`.tar.gz.part, resumes if the server still has the same file.

    Raises:
        UsageError: `name` cannot be the name of a folder.
        DataError: the archive cannot be downloaded, or is not that of a dataset; the message gives
            the URL, and where to put the files by hand.
        Pix2PixError: `root` cannot be written.
    """
    if not re.match(r'\w[\w.-]*$', name):
        raise UsageError(
            f'`name` is {name!r}, which is not a dataset; known are {", ".join(NAMES)}'
        )
    target = os.path.join(root, name)
    if os.path.isdir(target):
        return target
    files.prepare_directory(root)
    url = url or URL % name
    archive = os.path.join(root, f'.{name}.tar.gz.part')
    try:
        _download(url, archive)
        unpack(archive, name, target)
    except urllib.error.HTTPError as error:
        answer = f'the server answered {error.code} {error.reason}'
        raise _unavailable(url, target, answer) from error
    except urllib.error.URLError as error:
        raise _unavailable(url, target, error.reason) from error
    except (OSError, http.client.HTTPException) as error:
        raise _unavailable(url, target, error) from error
    _forget(archive)
    return target


def _unavailable(url, target, reason):
    return DataError(
        f'cannot download {url} ({reason}): run it again to resume, or put its train and val '
        f'folders into {target} by hand'
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
        with open(archive, 'ab' if resumed else 'wb') as file, tqdm(
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


def unpack(archive: str, name: str, target: str) -> None:
    """Unpacks the folder `name` of a .tar.gz to `target`, which appears only when it is complete.

    Only plain files and folders are unpacked, without their permissions and owners.

    Raises:
        DataError: it is not such an archive, a member would leave the folder, or there is no folder
            `name`. The archive is then removed, because a second try would fail, too.
    """
    root = os.path.dirname(target) or '.'
    temporary = os.path.join(root, f'.{name}.unpacking')
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        os.mkdir(temporary)
        with gzip.open(archive) as stream:
            with tarfile.open(fileobj=stream, mode='r:') as tar:
                for member in tar:
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
        _forget(archive)
        raise DataError(
            f'the download of {name} is not a complete .tar.gz ({error}): check its URL'
        ) from error
    except DataError:
        _forget(archive)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract(tar, member, directory):
    parts = member.name.split('/')
    if member.name.startswith('/') or '..' in parts or '\\' in member.name:
        raise DataError(f'the archive is refused: {member.name!r} would leave its folder')
    path = os.path.join(directory, *[part for part in parts if part not in ('', '.')])
    if member.isdir():
        os.makedirs(path, exist_ok=True)
    elif member.isfile():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with tar.extractfile(member) as source, open(path, 'wb') as file:
            shutil.copyfileobj(source, file)
    else:
        raise DataError(f'the archive is refused: {member.name!r} is neither a file nor a folder')
