"""A temporary folder beside its result, which a later process removes if this one is killed."""

import contextlib
import fcntl
import glob
import os
import shutil
import tempfile
from typing import Iterator


@contextlib.contextmanager
def folder_in(directory: str, prefix: str) -> Iterator[str]:
    """The path of a new folder in `directory`, named after `prefix`, until the block ends.

    The process holds a lock on it, which the operating system releases if the process is killed.
    Folders with this prefix on which no process holds a lock are removed first. On a file system
    without locks, they stay.

    Raises:
        OSError: `directory` cannot be written.
    """
    with contextlib.ExitStack() as stack:
        # One process at a time: none sees the new folder before it is locked
        with _locked(directory, 0) as is_locked:
            if is_locked:
                _remove_unowned(directory, prefix)
            path = stack.enter_context(tempfile.TemporaryDirectory(dir=directory, prefix=prefix))
            stack.enter_context(_locked(path, 0))
        yield path


def _remove_unowned(directory, prefix):
    for path in glob.glob(os.path.join(glob.escape(directory), prefix + '*', '')):
        path = path.rstrip(os.sep)
        with contextlib.suppress(OSError), _locked(path, fcntl.LOCK_NB) as is_locked:
            if is_locked:
                shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _locked(path, flags):
    """Locks a folder, which is not a link; yields whether it could."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | flags)
            is_locked = True
        except OSError:
            is_locked = False
        yield is_locked
    finally:
        os.close(descriptor)
