"""Locks a folder for one process."""

import contextlib
import fcntl
import os
import re
import time
import typing

from pix2pix_tf.system import files
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import Pix2PixError

FILENAME = '.lock'
PATIENCE = 30  # seconds that the children of a killed process may take to end


class LockedError(Pix2PixError):
    """Another process works in a folder."""


class Lock:
    """The lock of `directory`, in the file `filename` there; `locked` explains it.

    Raises:
        Pix2PixError: as `locked` does.
    """

    def __init__(self, directory: str, filename: str, wait: bool, work: str) -> None:
        self.directory, self.wait, self.work = directory, wait, work
        self.path = os.path.join(directory, filename)
        self.file = self._take()

    def take_again(self) -> None:
        """Takes the lock of a new folder, if `directory` or the file in it was removed.

        Raises:
            LockedError: another process holds it.
            Pix2PixError: the folder cannot be created; the lock stays as it was.
        """
        try:
            is_same = os.path.samestat(os.lstat(self.path), os.fstat(self.file.fileno()))
        except FileNotFoundError:
            is_same = False
        except OSError:  # a drive that may come back
            return
        if is_same or self._has_our_number():
            return
        files.prepare_directory(self.directory)
        file = self._take()
        self.file.close()
        self.file = file
        print_line(f'{self.path} was removed: {self.directory} is locked again')

    def _has_our_number(self):
        """Whether the file is ours after all: on some network drives, its identity may change."""
        with contextlib.suppress(OSError), open(self.path, 'rb') as file:
            return _read(file) == str(os.getpid())
        return False

    def _take(self):
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(_opened(self.path))
            try:
                _lock(file, self.wait)
            except BlockingIOError as error:
                raise LockedError(
                    f'process {_read(file) or "unknown"} is {self.work} in {self.directory}: wait '
                    'for it, stop it, or choose another folder'
                ) from error
            except OSError as error:
                print_line(
                    f'warning: cannot lock {self.directory} ({error.strerror}): start no second '
                    'process in it'
                )
            if _read(file) is not None:  # else it is a file of another program
                with contextlib.suppress(OSError):  # a full disk; the number is only for messages
                    os.truncate(file.fileno(), 0)
                    os.write(file.fileno(), f'{os.getpid()}\n'.encode())
            stack.pop_all()
            return file


@contextlib.contextmanager
def locked(
    directory: str, filename: str = FILENAME, wait: bool = False, work: str = 'training'
) -> typing.Iterator[Lock]:
    """Locks `directory` for this process, whose number is written to the file `filename` there.

    With `wait`, it waits for another process that holds the lock. The operating system releases the
    lock once the process and its children have ended, even if they are killed. A leftover file
    therefore does no harm. On a file system without locks, such as some network drives, it prints a
    warning and locks nothing. `work` is what the other process does, for the message.

    Raises:
        LockedError: another process holds the lock; the message names the folder and the process.
        Pix2PixError: the lock file cannot be written, or is a symbolic link or a special file.
    """
    lock = Lock(directory, filename, wait, work)
    try:
        yield lock
    finally:
        lock.file.close()


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
    """The number of a process that `file` has, '' if it is empty, None if it has other text."""
    file.seek(0)
    text = file.read(20).strip().decode('ascii', 'replace')
    return text if re.fullmatch('[0-9]*', text) else None


def _is_gone(process):
    """Whether `process` is the number of a process that has ended."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (ValueError, TypeError, OverflowError, OSError):
        pass  # no number yet, or a process of another user
    return False


def _opened(path):
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    if os.path.lexists(path) and (os.path.islink(path) or not os.path.isfile(path)):
        raise Pix2PixError(f'{path} is not a regular file: remove it')
    try:
        return open(path, 'a+b', 0, opener=lambda name, _: os.open(name, flags, 0o666))
    except OSError as error:
        raise files.unwritable(path, error) from error
