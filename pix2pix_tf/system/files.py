"""Writing files so that a reader never finds half of one."""

import os

from pix2pix_tf.system.errors import Pix2PixError


def write_whole(path, contents):
    """Writes bytes to `path`: the file is whole or, where that fails, as it was before.

    Raises:
        Pix2PixError: it can't be written; the message names it.
    """
    temporary = path + '.tmp'
    try:
        with open(temporary, 'wb') as file:
            file.write(contents)
        os.replace(temporary, path)
    except OSError as error:
        if os.path.isfile(temporary):
            os.remove(temporary)
        raise unwritable(path, error) from error


def unwritable(path, error):
    """The Pix2PixError for an OSError while writing `path`."""
    return Pix2PixError(f'can not write {path}: {error.strerror or error}')


def prepare_directory(path):
    """Makes the folder `path` where there is none, and sees that files can be written in it.

    Raises:
        Pix2PixError: it can't be made or written to; the message names it.
    """
    probe = os.path.join(path, '.writable')
    try:
        os.makedirs(path, exist_ok=True)
        with open(probe, 'wb'):
            pass
        os.remove(probe)
    except OSError as error:
        raise Pix2PixError(
            f'can not write to {path} ({error.strerror}): choose another folder'
        ) from error
