"""Settings of glibc's malloc for the memory that TensorFlow allocates and frees in every op.

Other C libraries have no `mallopt` and no `malloc_trim`; nothing happens there.
"""

import ctypes
import os

# Option numbers from glibc's malloc.h, and the values for them
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_OPTIONS = {_M_TRIM_THRESHOLD: 2**31 - 1, _M_MMAP_THRESHOLD: 2**31 - 1, _M_ARENA_MAX: 1}


def keep_freed_blocks() -> None:
    """Keeps freed blocks for the next op, in one arena for all threads of this process.

    By default malloc returns large blocks to the system and requests them again, which costs a
    tenth of a step on a CPU. With one arena per thread, a block that one thread freed is not
    found by the others. Does nothing if MALLOC_* environment variables are set.
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt and not any(name.startswith('MALLOC_') for name in os.environ):
        for option, value in _OPTIONS.items():
            mallopt(option, value)


def trim() -> None:
    """Returns all free memory to the system; the next step takes a tenth of a second longer.

    Parallel ops never fill the heap the same way twice. Without this, it would grow by smaller and
    smaller amounts for thousands of steps.
    """
    malloc_trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if malloc_trim:
        malloc_trim(0)
