"""The generator that answers, replaced while it is in use when a newer checkpoint appears."""

import contextlib
import threading
import typing

import numpy as np

from pix2pix_tf.inference import trained
from pix2pix_tf.inference.generator import Generator, load
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import Pix2PixError


class Models:
    """The newest generator of `model`, for several threads; `changes` as in `pix2pix_tf.load`.

    Raises:
        Pix2PixError: there is no model, or it does not fit.
    """

    def __init__(self, model: str, **changes: typing.Any) -> None:
        self._model, self._changes = model, changes
        self._lock = threading.Lock()
        self._users: typing.Dict[Generator, int] = {}
        self._newest = _load(model, changes)
        self._complaint = ''

    @contextlib.contextmanager
    def newest(self) -> typing.Iterator[Generator]:
        """The newest generator, which stays open until the block ends."""
        with self._lock:
            generator = self._newest
            self._users[generator] = self._users.get(generator, 0) + 1
        try:
            yield generator
        finally:
            with self._lock:
                self._users[generator] -= 1
                self._close_unused()

    def refresh(self) -> bool:
        """Loads the newest checkpoint if it is another one; gives whether it did.

        A checkpoint that cannot be used is named once, and the old one stays.
        """
        try:
            checkpoint = trained.find(self._model, **self._changes).checkpoint
            if checkpoint == self._newest.checkpoint:
                return False
            generator = _load(self._model, self._changes)
        except Pix2PixError as error:
            if str(error) != self._complaint:
                print_line(f'{error}; step {self._newest.step} stays in use')
            self._complaint = str(error)
            return False
        with self._lock:
            self._users.setdefault(self._newest, 0)
            self._newest, self._complaint = generator, ''
            self._close_unused()
        return True

    def watch(self, seconds: float, stop: threading.Event) -> None:
        """Calls `refresh` every so many `seconds`, until `stop` is set."""
        while not stop.wait(seconds):
            if self.refresh():
                print_line(f'loaded {self._newest.checkpoint}, step {self._newest.step}')

    def _close_unused(self):
        """Closes older generators that nobody uses; the lock is held."""
        for generator, users in list(self._users.items()):
            if not users and generator is not self._newest:
                del self._users[generator]
                generator.close()

    def close(self) -> None:
        """Frees the generator; nobody may use it any more."""
        self._newest.close()


def _load(model, changes):
    """A generator that has run once: the first run takes longer."""
    generator = load(model, **changes)
    pixels = np.zeros((*generator.config.crop_size, 3), np.uint8)
    generator.encode(generator(pixels, 0))
    return generator
