"""The number of CPU cores that this process may use."""

import math
import os


def available(cgroups: str = '/sys/fs/cgroup') -> int:
    """The cores in the affinity of this process, or fewer if its container has a CPU quota.

    `cgroups` is the folder of Linux's control groups. macOS has neither it nor an affinity.
    """
    if hasattr(os, 'sched_getaffinity'):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = _quota(cgroups)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


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
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max": no limit
        return None
    return cores if cores > 0 else None  # version 1 says -1 for no limit


def _read(*parts):
    with open(os.path.join(*parts)) as file:
        return file.read()
