"""Lines on standard output that do not break a progress bar."""

import sys

from tqdm import tqdm


def print_line(line: str) -> None:
    """Prints a line to standard output, above the progress bar if there is one."""
    # One write, because the signal thread prints too
    with tqdm.external_write_mode(file=sys.stdout):
        sys.stdout.write(line + '\n')
        sys.stdout.flush()
