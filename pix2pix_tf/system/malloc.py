"""How glibc's malloc keeps the memory that TensorFlow takes and frees in every op.

Other C libraries have no `mallopt` and `malloc_trim`, and are left as they are.
"""

import ctypes
import os

# The numbers of glibc's malloc.h, and their values
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_OPTIONS = {_M_TRIM_THRESHOLD: 2**31 - 1, _M_MMAP_THRESHOLD: 2**31 - 1, _M_ARENA_MAX: 1}


def keep():
    """Keeps the blocks of an op for the next one, in one arena for all threads of this process.

    By itself, malloc gives large ones back to the system and asks for them again, a tenth of a
    step on the CPU; and with an arena for every thread, what one freed the others don't find.
    Whoever sets malloc by its environment variables is left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt and not any(name.startswith('MALLOC_') for name in os.environ):
        for option, value in _OPTIONS.items():
            mallopt(option, value)


def trim():
    """Gives what is free at the moment back to the system: a tenth of a second of the next step.

    Ops that run side by side never fill the heap in the same way twice, so that it would grow for
    thousands of steps, by ever less.
    """
    malloc_trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if malloc_trim:
        malloc_trim(0)
