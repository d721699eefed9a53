"""Locks a folder for one process."""

import contextlib
import fcntl
import os
import time
import typing

from pix2pix_tf.system import files
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import Pix2PixError

FILENAME = '.lock'
PATIENCE = 30  # seconds that the children of a killed process may take to end


@contextlib.contextmanager
def locked(
    directory: str, filename: str = FILENAME, wait: bool = False, work: str = 'training'
) -> typing.Iterator[None]:
    """Locks `directory` for this process, whose number is written to the file `filename` there.

    With `wait`, it waits for another process that holds the lock. The operating system releases the
    lock once the process and its children have ended, even if they are killed. A leftover file
    therefore does no harm. On a file system without locks, such as some network drives, it prints a
    warning and locks nothing. `work` is what the other process does, for the message.

    Raises:
        Pix2PixError: another process holds the lock; the message names the folder and the process.
            Or the lock file cannot be written.
    """
    path = os.path.join(directory, filename)
    with _opened(path) as file:
        try:
            _lock(file, wait)
        except BlockingIOError as error:
            raise Pix2PixError(
                f'process {_read(file) or "unknown"} is {work} in {directory}: wait for it, stop '
                'it, or choose another folder'
            ) from error
        except OSError as error:
            print_line(
                f'warning: cannot lock {directory} ({error.strerror}): start no second process in '
                'it'
            )
        with contextlib.suppress(OSError):  # a full disk; the number is only for messages
            os.truncate(path, 0)
            os.write(file.fileno(), f'{os.getpid()}\n'.encode())
        yield


def _lock(file, wait):
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            if not _is_gone(_read(file)) or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _read(file):
    file.seek(0)
    return file.read().strip()


def _is_gone(process):
    """Whether `process` is the number of a process that has ended."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (ValueError, OSError):  # no number yet, or a process of another user
        pass
    return False


def _opened(path):
    try:
        return open(path, 'a+')
    except OSError as error:
        raise files.unwritable(path, error) from error
