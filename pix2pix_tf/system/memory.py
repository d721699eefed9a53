"""The memory that this process may still use."""

import math
import os
import re


def available(meminfo: str = '/proc/meminfo', cgroups: str = '/sys/fs/cgroup') -> float:
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
            free = min(free, _read(cgroups, limit) - _read(cgroups, used))
        except (OSError, ValueError):  # "max": no limit
            continue
    return max(free, 0.0)


def _read(cgroups, name):
    with open(os.path.join(cgroups, name)) as file:
        return int(file.read())
