"""Prints lines: above a progress bar, in any encoding, on a full disk, into a closed pipe."""

import errno
import os
import sys
import threading

from tqdm import tqdm

from pix2pix_tf.system.errors import with_flags

# Set once standard output is closed, as after `| head`
output_closed = threading.Event()


def count(number: int, noun: str) -> str:
    """'1 pair', '2 pairs'."""
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def print_line(line: str) -> None:
    """Prints a line to standard output, above the progress bar if there is one.

    Options in backquotes become flags, as in the commands' errors.
    Characters that its encoding lacks become question marks. If it is closed, `output_closed` is
    set and the line is lost. On a full disk, the line alone is lost.
    """
    encoding = sys.stdout.encoding or 'utf-8'
    text = (with_flags(line) + '\n').encode(encoding, 'replace').decode(encoding)
    try:
        # One write, because the signal thread prints as well
        with tqdm.external_write_mode(file=sys.stdout):
            sys.stdout.write(text)
            sys.stdout.flush()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _drop_what_waits()
            return
        # A closed pipe or terminal
        output_closed.set()
        # Python flushes standard output again when it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _drop_what_waits():
    """Empties the buffer of standard output, which Python would write again."""
    number = sys.stdout.fileno()
    kept, nowhere = os.dup(number), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, number)
        sys.stdout.flush()
    finally:
        os.dup2(kept, number)
        os.close(kept)
        os.close(nowhere)
