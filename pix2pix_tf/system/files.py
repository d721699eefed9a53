"""Writes files so that a reader never finds half of one."""

import os
import tempfile
import typing

from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import DataError, Pix2PixError, UsageError

TEMPORARY = '.tmp'  # of a file while it is written
MAX_NAME_BYTES = 255  # of a file name, on nearly all file systems


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
    written: typing.List[str] = []
    try:
        for path, data in contents.items():
            written.append(path + TEMPORARY)
            with open(path + TEMPORARY, 'wb') as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
        for path in contents:
            os.replace(path + TEMPORARY, path)
            if durable:
                sync(os.path.dirname(path) or '.')
    except OSError as error:
        for temporary in written:
            if os.path.isfile(temporary):
                os.remove(temporary)
        raise unwritable(path, error) from error


def sync(path: str) -> None:
    """Waits until a file, or the names in a folder, have reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_ours(path: str, mark: str, option: str = 'to') -> None:
    """Checks that the file `path`, which will be replaced, contains `mark` or does not exist.

    `option` is the option for its folder.

    Raises:
        UsageError: the file was written by another program.
    """
    if os.path.exists(path) and mark.encode() not in read(path):
        raise UsageError(
            f'{path} was not written by pix2pix_tf: choose another folder with `{option}`'
        )


def unwritable(path: str, error: OSError) -> Pix2PixError:
    """The Pix2PixError for an OSError while writing `path`."""
    return Pix2PixError(f'cannot write {path}: {error.strerror or error}')


def prepare_directory(path: str) -> None:
    """Creates the folder `path` if it is missing, and checks that files can be written in it.

    Raises:
        Pix2PixError: it cannot be created or written to; the message names it.
    """
    try:
        os.makedirs(path, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
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
