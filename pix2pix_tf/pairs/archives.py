"""Unpacks the archive of a dataset, without trusting it."""

import gzip
import os
import shutil
import tarfile
import zlib

from pix2pix_tf.system.errors import DataError

CHUNK = 1 << 16  # bytes


def unpack(archive: str, name: str, target: str) -> None:
    """Unpacks the folder `name` of a .tar.gz to `target`, which appears only when it is complete.

    Only plain files and folders are unpacked, without their permissions and owners. Names that
    start with a dot are left out: macOS adds such files to archives.

    Raises:
        DataError: it is not such an archive, a member would leave the folder, or there is no folder
            `name`.
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
            while stream.read(CHUNK):
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
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract(tar, member, directory):
    parts = member.name.split('/')
    if member.name.startswith('/') or '..' in parts or '\\' in member.name:
        raise DataError(f'the archive is refused: {member.name!r} would leave its folder')
    parts = [part for part in parts if part not in ('', '.')]
    if any(part.startswith('.') for part in parts):
        return
    path = os.path.join(directory, *parts)
    if member.isdir():
        os.makedirs(path, exist_ok=True)
    elif member.isfile():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with tar.extractfile(member) as source, open(path, 'wb') as file:
            shutil.copyfileobj(source, file)
    else:
        raise DataError(f'the archive is refused: {member.name!r} is neither a file nor a folder')
