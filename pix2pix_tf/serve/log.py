"""Lines that the server prints: options appear as flags, and the traceback of a bug on request."""

import os
import traceback

from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import with_flags


def log(line: str) -> None:
    """Prints a line, in which `option` becomes --option."""
    print_line(with_flags(line))


def log_bug(error: Exception) -> None:
    """Prints one line about a failed request; TF_CPP_MIN_LOG_LEVEL=0 adds the traceback."""
    if os.environ.get('TF_CPP_MIN_LOG_LEVEL') == '0':
        trace = traceback.format_exception(type(error), error, error.__traceback__)
        print_line(''.join(trace).rstrip())
    print_line(f'a request failed: {describe(error)}')


def describe(error: Exception) -> str:
    """An exception in one line."""
    return f'{type(error).__name__}: {" ".join(str(error).split())[:500]}'
