"""One training at a time in an output folder."""

import contextlib
import fcntl
import os

from pix2pix_tf.system.errors import Pix2PixError

FILENAME = '.lock'


@contextlib.contextmanager
def locked(directory):
    """Holds `directory` for this process; its number stands in the file `.lock` there.

    The system lets go of the lock when the process ends, however it ends, so that a file left
    behind keeps nobody out.

    Raises:
        Pix2PixError: another process holds it; the message names the folder and its number.
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
