"""The machine: cores and memory that this process may use, and settings of its allocator."""

import ctypes
import math
import os
import re

# Options of glibc's malloc, by the numbers in malloc.h. Other C libraries have no `mallopt` and no
# `malloc_trim`; nothing happens there.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_OPTIONS = {_M_TRIM_THRESHOLD: 2**31 - 1, _M_MMAP_THRESHOLD: 2**31 - 1, _M_ARENA_MAX: 1}


def cores(cgroups: str = '/sys/fs/cgroup') -> int:
    """The cores in the affinity of this process, or fewer if its container has a CPU quota.

    `cgroups` is the folder of Linux's control groups. macOS has neither it nor an affinity.
    """
    if hasattr(os, 'sched_getaffinity'):
        number = len(os.sched_getaffinity(0))
    else:
        number = os.cpu_count() or 1
    quota = _quota(cgroups)
    return number if quota is None else max(1, min(number, math.ceil(quota)))


def has_bfloat16(cpuinfo: str = '/proc/cpuinfo') -> bool:
    """Whether the CPU multiplies bfloat16 numbers (avx512_bf16 or AMX); False if unknown."""
    try:
        with open(cpuinfo) as file:
            flags = {flag for line in file if line.startswith('flags') for flag in line.split()}
    except OSError:
        return False
    return bool(flags & {'avx512_bf16', 'amx_bf16'})


def _quota(cgroups):
    """The CPU quota of the container, in cores; None without one."""
    try:  # version 2
        quota, period = _read(cgroups, 'cpu.max').split()
    except (OSError, ValueError):
        try:  # version 1
            quota = _read(cgroups, 'cpu', 'cpu.cfs_quota_us')
            period = _read(cgroups, 'cpu', 'cpu.cfs_period_us')
        except OSError:
            return None
    try:
        number = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max": no limit
        return None
    return number if number > 0 else None  # version 1 says -1 for no limit


def free_memory(meminfo: str = '/proc/meminfo', cgroups: str = '/sys/fs/cgroup') -> float:
    """Bytes that are free, by the machine and by the limit of a container; infinite if unknown."""
    try:
        with open(meminfo) as file:
            [kilobytes] = re.findall('^MemAvailable: +([0-9]+) kB', file.read(), re.M)
        free = float(kilobytes) * 1024
    except (OSError, ValueError):  # not Linux
        free = math.inf
    for limit, used in (
        ('memory.max', 'memory.current'),  # version 2
        ('memory/memory.limit_in_bytes', 'memory/memory.usage_in_bytes'),
    ):
        try:
            free = min(free, int(_read(cgroups, limit)) - int(_read(cgroups, used)))
        except (OSError, ValueError):  # "max": no limit
            continue
    return max(free, 0.0)


def _read(*parts):
    with open(os.path.join(*parts)) as file:
        return file.read()


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
