"""One training at a time in an output folder."""

import contextlib
import fcntl
import os
import typing

from pix2pix_tf.system.errors import Pix2PixError

FILENAME = '.lock'


@contextlib.contextmanager
def locked(directory: str) -> typing.Iterator[None]:
    """Locks `directory` for this process, whose number is written to the file `.lock` there.

    The operating system releases the lock when the process ends, however it ends. A leftover file
    therefore locks nobody out.

    Raises:
        Pix2PixError: another process holds the lock; the message names the folder and the process.
    """
    path = os.path.join(directory, FILENAME)
    with open(path, 'a+') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise Pix2PixError(
                f'process {file.read().strip() or "unknown"} is training in {directory}: wait '
                'for it, stop it, or choose another folder'
            ) from error
        file.truncate(0)
        file.write(f'{os.getpid()}\n')
        file.flush()
        yield
