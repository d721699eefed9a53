"""Fetching a dataset of the pix2pix paper: download, resume, unpack."""

import gzip
import http.client
import os
import re
import shutil
import tarfile
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


def fetch(name, root, url=None):
    """Makes the folder `root`/`name` from the dataset's archive; returns its path.

    Does nothing where that folder is there already. What a broken download has left in
    `root`/.`name`.tar.gz.part is gone on with, where the server still has the same file.

    Raises:
        UsageError: `name` can't be the name of a folder.
        DataError: the archive can't be had, or is not one of a dataset; the message gives the
            URL and where to put the files by hand.
        Pix2PixError: `root` can't be written.
    """
    if not re.match(r'\w[\w.-]*$', name):
        raise UsageError(f'{name!r} is not the name of a dataset; known are {", ".join(NAMES)}')
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
        answer = f'the server says {error.code} {error.reason}'
        raise _unavailable(url, target, answer) from error
    except urllib.error.URLError as error:
        raise _unavailable(url, target, error.reason) from error
    except (OSError, http.client.HTTPException) as error:
        raise _unavailable(url, target, error) from error
    _forget(archive)
    return target


def _unavailable(url, target, reason):
    return DataError(
        f'can not get {url} ({reason}): try again, which goes on from there, or put its train and '
        f'val folders into {target} by hand'
    )


def _download(url, archive):
    """Brings all of `url` to the file `archive`, adding to what of it is there."""
    done = os.path.getsize(archive) if os.path.exists(archive) else 0
    request = urllib.request.Request(url)
    validator = _read_validator(archive)
    if done and validator:
        # The server sends the rest if the file is the same as then, or else all of it
        request.add_header('Range', f'bytes={done}-')
        request.add_header('If-Range', validator)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # no byte behind those: only the unpacking broke off
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
        raise OSError(f'it broke off after {done} of {total} bytes')


def _read_validator(archive):
    try:
        with open(archive + '.tag') as file:
            return file.read()
    except OSError:
        return None


def _write_validator(archive, headers):
    """Keeps what a later request can ask by whether the server's file is still the same."""
    etag = headers.get('ETag', '')
    validator = headers.get('Last-Modified') if etag.startswith('W/') or not etag else etag
    files.write_whole(archive + '.tag', (validator or '').encode())


def _forget(archive):
    for path in (archive, archive + '.tag'):
        if os.path.exists(path):
            os.remove(path)


def unpack(archive, name, target):
    """Unpacks the folder `name` of a .tar.gz to `target`, which appears only when it is whole.

    Only plain files and folders are taken, and only their contents: no links, no permissions.

    Raises:
        DataError: it is no such archive, holds a member that would land elsewhere, or no folder
            `name`. The archive is removed then, for another try would find the same.
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
            # The checksum stands behind the end of the tar: read on to have it compared
            while stream.read(_CHUNK):
                pass
        unpacked = os.path.join(temporary, name)
        if not os.path.isdir(unpacked):
            raise DataError(f'the archive of {name} holds no folder of that name')
        os.rename(unpacked, target)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if getattr(error, 'errno', None):  # of the disk; gzip's own OSErrors have no number
            raise
        _forget(archive)
        raise DataError(
            f'what was downloaded for {name} is not a whole .tar.gz ({error}): look at its URL'
        ) from error
    except DataError:
        _forget(archive)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract(tar, member, directory):
    parts = member.name.split('/')
    if member.name.startswith('/') or '..' in parts or '\\' in member.name:
        raise DataError(f'refusing the archive: its member {member.name!r} would leave the folder')
    path = os.path.join(directory, *[part for part in parts if part not in ('', '.')])
    if member.isdir():
        os.makedirs(path, exist_ok=True)
    elif member.isfile():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with tar.extractfile(member) as source, open(path, 'wb') as file:
            shutil.copyfileobj(source, file)
    else:
        raise DataError(
            f'refusing the archive: its member {member.name!r} is neither file nor folder'
        )
