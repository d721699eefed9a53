"""The generator that answers requests, replaced while they run when a newer checkpoint appears."""

import threading
from typing import Any

import numpy as np

from pix2pix_tf.inference.generator import Generator, load
from pix2pix_tf.inference.trained import find
from pix2pix_tf.serve.log import describe, log
from pix2pix_tf.system.errors import Pix2PixError


class CurrentGenerator:
    """The newest generator of `model`; `changes` are the options that `pix2pix_tf.load` takes.

    A request reads `generator` once, and keeps that one to its end. Python deletes a replaced
    generator when the last request that uses it ends; this closes its session.

    Raises:
        Pix2PixError: there is no model, or it does not fit.
    """

    def __init__(self, model: str, **changes: Any) -> None:
        self._model, self._changes = model, changes
        self._last_error = ''
        self.generator = _load(model, changes)

    def refresh(self) -> bool:
        """Loads the newest checkpoint if there is a newer one; returns whether it did.

        A checkpoint that cannot be used is reported once, and the generator stays. So is any other
        failure: files that change while they are read, or that a stranger wrote, must not end the
        thread that calls this.
        """
        try:
            found = find(self._model, **self._changes)
            now = self.generator
            if (found.checkpoint, found.step) == (now.checkpoint, now.step):  # an ONNX file stays
                return False
            self.generator = _load(self._model, self._changes)
        except Exception as error:
            known = isinstance(error, Pix2PixError)
            words = str(error) if known else f'cannot look for newer checkpoints: {describe(error)}'
            if words != self._last_error:
                log(f'{words}; step {self.generator.step} stays in use')
            self._last_error = words
            return False
        self._last_error = ''
        return True

    def watch(self, seconds: float, stop: threading.Event) -> None:
        """Calls `refresh` every `seconds` until `stop` is set."""
        while not stop.wait(seconds):
            if self.refresh():
                log(f'loaded {self.generator.checkpoint}, step {self.generator.step}')


def _load(model: str, changes: dict) -> Generator:
    """Loads a generator and runs it once, because the first run takes longer."""
    generator = load(model, **changes)
    config = generator.config
    pixels = np.zeros((*config.crop_size, config.input_channels), config.pixel_type)
    generator.encode(generator(pixels, 0))
    return generator
