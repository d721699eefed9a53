"""Writes files so that a reader never finds half of one."""

import contextlib
import errno
import os
import tempfile
import time
import typing

from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import DataError, Pix2PixError, UsageError

MAX_NAME_BYTES = 255  # of a file name, on nearly all file systems

# A file has a name of this form, with eight random digits between, while it is written
_PREFIX, _SUFFIX = '.pix2pix-tf-', '.tmp'
_ABANDONED = 3600  # seconds after which no process still writes it

# What a file system answers that cannot sync files, or cannot open or sync folders
_CANNOT_SYNC = {
    errno.EACCES,
    errno.EBADF,
    errno.EINVAL,
    errno.EISDIR,
    errno.ENOSYS,
    errno.ENOTSUP,
    errno.ENOTTY,
    errno.EOPNOTSUPP,
    errno.EPERM,
}
_warned: typing.Set[str] = set()  # the warnings that this process has printed


def read(path: str) -> bytes:
    """The contents of a file.

    Raises:
        DataError: it cannot be read; the message names it.
    """
    try:
        with open(path, 'rb') as file:
            return file.read()
    except OSError as error:
        raise DataError(f'{path} cannot be read ({error.strerror})') from error


def read_short(path: str, most: int) -> bytes:
    """The contents of a file of at most `most` bytes, which may come from an untrusted source.

    Raises:
        ValueError: it is not a regular file, or has more bytes; the message does not name it.
        OSError: it cannot be read.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would never end
        raise ValueError('it is not a regular file')
    with open(path, 'rb') as file:
        contents = file.read(most + 1)
    if len(contents) > most:
        raise ValueError(f'it has more than {most} bytes')
    return contents


def write_whole(path: str, contents: bytes, durable: bool = False) -> None:
    """Writes `path` completely or, if that fails, leaves it as it was.

    If `durable`, it has reached the disk when this returns, and survives a power failure.

    Raises:
        Pix2PixError: it cannot be written; the message names it.
    """
    write_together({path: contents}, durable)


def write_together(contents: typing.Dict[str, bytes], durable: bool = False) -> None:
    """Writes files that belong together, {path: bytes}: if one cannot be written, none changes.

    They are replaced in the given order, once all are written. `durable` is as in `write_whole`.

    Raises:
        Pix2PixError: one cannot be written; the message names it.
    """
    temporary: typing.Dict[str, str] = {}  # {path: its temporary file}
    try:
        for path, data in contents.items():
            temporary[path], file = _create_temporary(os.path.dirname(path))
            with file:
                file.write(data)
                if durable:
                    file.flush()
                    with _optional_sync(path):
                        os.fsync(file.fileno())
        for path in contents:
            os.replace(temporary[path], path)
            del temporary[path]
            if durable:
                sync(os.path.dirname(path) or '.')
    except OSError as error:
        for left in temporary.values():
            with contextlib.suppress(OSError):
                os.remove(left)
        raise unwritable(path, error) from error


def _create_temporary(directory):
    """(path of a new file in `directory`, that file); no name of a file or a link is taken."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    while True:
        path = os.path.join(directory, f'{_PREFIX}{os.urandom(4).hex()}{_SUFFIX}')
        with contextlib.suppress(FileExistsError):
            return path, os.fdopen(os.open(path, flags, 0o666), 'wb')


def remove_unfinished(directory: str, seconds: float = _ABANDONED) -> None:
    """Removes the files that a killed process was writing in `directory`, so long ago or longer.

    A younger one may be of a process that runs. With the lock of the folder, 0 `seconds` are safe.
    """
    with contextlib.suppress(OSError), os.scandir(directory or '.') as entries:
        for entry in entries:
            is_named_so = entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX)
            if is_named_so and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    if entry.stat().st_mtime <= time.time() - seconds:
                        os.remove(entry.path)


def sync(path: str) -> None:
    """Waits until a file, or the names in a folder, have reached the disk.

    On a file system that cannot do that, this prints a warning, once per process.
    """
    with _optional_sync(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _optional_sync(path):
    try:
        yield
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
        if 'sync' not in _warned:
            _warned.add('sync')
            print_line(
                f'warning: cannot force {path} to the disk ({error.strerror}): a power failure may '
                'cost what was written last'
            )


def check_ours(path: str, mark: str, option: str = 'to') -> None:
    """Checks that the file `path`, which will be replaced, contains `mark` or does not exist.

    `option` is the option for its folder.

    Raises:
        UsageError: the file was written by another program.
    """
    if not os.path.exists(path):
        return
    is_special = not (os.path.isfile(path) or os.path.isdir(path))  # a pipe would never end
    if is_special or mark.encode() not in read(path):
        raise not_ours(path, option)


def not_ours(path: str, option: str) -> UsageError:
    """The UsageError for a file of another program in the folder that `option` names."""
    return UsageError(
        f'{path} was not written by pix2pix_tf: choose another folder with `{option}`'
    )


def unwritable(path: str, error: OSError) -> Pix2PixError:
    """The Pix2PixError for an OSError while writing `path`."""
    return Pix2PixError(f'cannot write {path}: {error.strerror or error}')


def prepare_directory(path: str) -> None:
    """Creates the folder `path` if it is missing, and checks that files can be written in it.

    Files that a killed process was writing there are removed, as `remove_unfinished` does.

    Raises:
        Pix2PixError: it cannot be created or written to; the message names it.
    """
    try:
        os.makedirs(path, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
        remove_unfinished(path)
    except OSError as error:
        raise Pix2PixError(
            f'cannot write to {path} ({error.strerror}): choose another folder'
        ) from error


class OptionalWrites:
    """Writes that a training can continue without, as a context manager around each.

    A Pix2PixError inside is suppressed. The first one is printed, and the next after a success.
    """

    def __init__(self) -> None:
        self.failing = False

    def __enter__(self) -> 'OptionalWrites':
        return self

    def __exit__(self, _: object, error: object, __: object) -> bool:
        if error is None:
            self.failing = False
            return False
        if not isinstance(error, Pix2PixError):
            return False
        if not self.failing:
            print_line(f'{error}; training continues without it')
        self.failing = True
        return True
