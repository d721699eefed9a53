"""Lines on standard output: above a progress bar, in any encoding, until it is closed."""

import os
import sys
import threading

from tqdm import tqdm

# Set once standard output cannot be written any more, as after `| head`
output_closed = threading.Event()


def print_line(line: str) -> None:
    """Prints a line to standard output, above the progress bar if there is one.

    Characters that its encoding lacks become question marks. If it is closed, `output_closed` is
    set and the line is lost.
    """
    encoding = sys.stdout.encoding or 'utf-8'
    text = (line + '\n').encode(encoding, 'replace').decode(encoding)
    try:
        # One write, because the signal thread prints, too
        with tqdm.external_write_mode(file=sys.stdout):
            sys.stdout.write(text)
            sys.stdout.flush()
    except OSError:  # a closed pipe, a closed terminal, a full disk
        output_closed.set()
        # Python flushes standard output again when it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
