"""Writing files so that a reader never finds half of one."""

import os

from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import Pix2PixError


def write_whole(path: str, contents: bytes) -> None:
    """Writes `path` completely or, if that fails, leaves it as it was.

    Raises:
        Pix2PixError: it cannot be written; the message names it.
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


def unwritable(path: str, error: OSError) -> Pix2PixError:
    """The Pix2PixError for an OSError while writing `path`."""
    return Pix2PixError(f'cannot write {path}: {error.strerror or error}')


def prepare_directory(path: str) -> None:
    """Creates the folder `path` if it is missing, and checks that files can be written in it.

    Raises:
        Pix2PixError: it cannot be created or written to; the message names it.
    """
    probe = os.path.join(path, '.writable')
    try:
        os.makedirs(path, exist_ok=True)
        with open(probe, 'wb'):
            pass
        os.remove(probe)
    except OSError as error:
        raise Pix2PixError(
            f'cannot write to {path} ({error.strerror}): choose another folder'
        ) from error


class OptionalWrites:
    """Writes that a training can do without, as a context manager around each.

    A Pix2PixError inside is printed and swallowed: the first one only, until a write succeeds.
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
