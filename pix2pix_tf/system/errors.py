"""Errors for people: one line that names the culprit and says what to do.

A message puts the name of an option in backquotes (`batch_size`). The commands show it as the flag
(--batch_size) by `with_flags`, or as the variable of make that was typed instead (STEPS).
"""

import os
import re
from typing import Dict, Optional


class Pix2PixError(Exception):
    """A failure that the user can fix. Its text is the whole message, without a traceback."""

    exit_status = 1


class UsageError(Pix2PixError):
    """An option or a value that cannot be used."""

    exit_status = 2


class DataError(Pix2PixError):
    """A data folder or an image that cannot be used."""


class TrainingError(Pix2PixError):
    """A training whose numbers are no longer finite."""


class CheckpointError(Pix2PixError):
    """A checkpoint that is missing, does not fit, or cannot be written."""


def with_flags(message: str, words: Optional[Dict[str, str]] = None) -> str:
    """Replaces the names of options in backquotes by flags: `batch_size` => --batch_size.

    `words` has others for some of them, {name: word}; by default those of the environment.
    """
    known = _typed_words() if words is None else words
    return re.sub(r'`(\w+)`', lambda name: known.get(name.group(1), f'--{name.group(1)}'), message)


def _typed_words():
    """{name: word} as bin/on-dataset passes them: PIX2PIX_WORDS='max_steps=STEPS out=OUT'."""
    pairs = os.environ.get('PIX2PIX_WORDS', '').split()
    return dict(pair.split('=', 1) for pair in pairs if '=' in pair)


def how_to_install(extra: str) -> str:
    """The advice for missing packages of one of the extras in setup.py."""
    return f"`make setup` installs it, or `pip install '.[{extra}]'` in a clone"
