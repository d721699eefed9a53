"""The processes of a training: read from --workers and --task or TF_CONFIG, and started here."""

import contextlib
import ctypes
import functools
import glob
import ipaddress
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import typing

from pix2pix_tf.distributed.peers import Child, Cluster, split_address
from pix2pix_tf.system.errors import UsageError
from pix2pix_tf.system.parsing import parse_json

_PR_SET_PDEATHSIG = 1  # of Linux
_PORTS = range(20000, 32000, 2)  # below those that systems give to connections


def parse(
    workers: typing.Optional[str], task: typing.Optional[int], tf_config: str = ''
) -> typing.Union[int, Cluster]:
    """The cluster that the flags describe, or how many workers to start on this machine.

    `tf_config` is the variable TF_CONFIG as cluster managers set it, used without `workers`.

    Raises:
        UsageError: a value cannot be used; the message names it.
    """
    if not workers:
        if task is not None:
            raise UsageError('`task` needs `workers`: the addresses of all, as host:port,host:port')
        return _parse_tf_config(tf_config) if tf_config else 1
    if workers.isdecimal():
        if task is not None:
            raise UsageError(f'`task` needs addresses in `workers`, not a number ({workers})')
        if int(workers) < 1:
            raise UsageError(f'`workers` is {workers}: it must be at least 1')
        return int(workers)
    return _check([address.strip() for address in workers.split(',')], task, '`workers`')


def _parse_tf_config(text):
    try:
        value = parse_json(text.encode())
        cluster, mine = value.get('cluster') or {}, value.get('task') or {}
        others = set(cluster) - {'chief', 'master', 'worker'}
        chiefs = [*cluster.get('chief', ()), *cluster.get('master', ())]
        addresses = chiefs + list(cluster.get('worker', ()))
        kind, index = mine.get('type', 'worker'), int(mine.get('index', 0))
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f'TF_CONFIG cannot be used ({error}): see docs/distributed.md') from error
    if others or kind not in ('chief', 'master', 'worker'):
        raise UsageError(
            f'TF_CONFIG names {", ".join(sorted(others)) or kind}: only chief and worker can train'
        )
    if len(addresses) < 2:
        return 1
    return _check(addresses, index + (len(chiefs) if kind == 'worker' else 0), 'TF_CONFIG')


def _check(addresses, task, name):
    for address in addresses:
        host, _, port = str(address).rpartition(':')
        if not (_is_host(host) and re.fullmatch('[0-9]+', port) and 0 < int(port) < 65535):
            raise UsageError(
                f'{name} has {address!r}: it must be host:port, with a port below 65535'
            )
    if len(set(addresses)) < len(addresses):
        raise UsageError(f'{name} has the same address twice: {", ".join(addresses)}')
    _check_ports(addresses, name)
    if task is None:
        raise UsageError(f'{name} has {len(addresses)} addresses: `task` says which is this one')
    if task not in range(len(addresses)):
        raise UsageError(f'`task` is {task}: it must be from 0 to {len(addresses) - 1}')
    return Cluster(tuple(addresses), task)


def _check_ports(addresses, name):
    """No two workers of one machine may share a port: each uses two."""
    users = {}
    for address in addresses:
        host, port = split_address(address)
        for used in (port, port + 1):
            other = users.setdefault((_machine(host), used), address)
            if other != address:
                raise UsageError(
                    f'{name} has {other} and {address}: a worker uses its port and the next, so '
                    f'both would use {used}; give the workers of one machine ports that are 2 apart'
                )


def _machine(host):
    """`host` in one spelling; all addresses of loopback are this machine.

    TensorFlow listens on all addresses of a machine. Names are not looked up: a cluster manager may
    define them only later.
    """
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        address = getattr(address, 'ipv4_mapped', None) or address
        return 'localhost' if address.is_loopback else str(address)
    return host.lower().rstrip('.')


def _is_host(name):
    try:
        return bool(name.encode('idna'))
    except UnicodeError:  # such as a..b
        return False


def start_here(count: int, devices: str = '/dev') -> Cluster:
    """Starts the same command `count` - 1 times more, as the other workers of this machine.

    This process becomes the chief. Each worker, including this process, gets one GPU, or without
    GPUs an equal part of the cores. The others end when this one does.

    Raises:
        UsageError: there are GPUs, but fewer than `count`.
    """
    if count == 1:
        return Cluster()
    gpus = _gpus(devices)
    if gpus and len(gpus) < count:
        found = 'is only 1 GPU' if len(gpus) == 1 else f'are only {len(gpus)} GPUs'
        raise UsageError(f'`workers` is {count}, but there {found}')
    addresses = free_addresses(count)
    cores = _share_cores(count)
    children = []
    for task in range(1, count):
        flags = [f'--workers={",".join(addresses)}', f'--task={task}']
        environment = dict(os.environ)
        if gpus:
            environment['CUDA_VISIBLE_DEVICES'] = gpus[task]
        errors = tempfile.TemporaryFile('w+')  # noqa: SIM115
        child = subprocess.Popen(
            [sys.executable, *sys.argv, *flags],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            preexec_fn=functools.partial(_prepare, None if gpus else cores[task]),
        )
        children.append(Child(child, errors))
    if gpus:
        os.environ['CUDA_VISIBLE_DEVICES'] = gpus[0]
    else:
        _stay_on(cores[0])
    return Cluster(addresses, 0, tuple(children))


def _prepare(cores):
    """In a new process: it ends with its parent, even if that is killed, and stays on its cores."""
    with contextlib.suppress(OSError, AttributeError):  # macOS has no prctl
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if cores:
        _stay_on(cores)


def _stay_on(cores):
    if hasattr(os, 'sched_setaffinity'):  # not on macOS
        os.sched_setaffinity(0, cores)


def _share_cores(count):
    """The cores of each of `count` processes; one core may serve several."""
    if not hasattr(os, 'sched_getaffinity'):
        return [set()] * count
    cores = sorted(os.sched_getaffinity(0))
    return [set(cores[n::count]) or {cores[n % len(cores)]} for n in range(count)]


def _gpus(devices):
    """The names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    if visible is not None:
        names = [name.strip() for name in visible.split(',')]
        return [name for name in names if name and not name.startswith('-')]
    found = glob.glob(os.path.join(glob.escape(devices), 'nvidia[0-9]*'))
    return [str(number) for number in range(len(found))]


def free_addresses(count: int) -> typing.Tuple[str, ...]:
    """`count` addresses on loopback whose port and next port are free now.

    Raises:
        UsageError: there are fewer.
    """
    addresses: typing.List[str] = []
    with contextlib.ExitStack() as stack:  # open together, so that no port is used twice
        for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
            with contextlib.suppress(OSError):
                for one in (port, port + 1):
                    stack.enter_context(socket.socket()).bind(('127.0.0.1', one))
                addresses.append(f'127.0.0.1:{port}')
                if len(addresses) == count:
                    return tuple(addresses)
    raise UsageError(f'`workers` is {count}: there are only {len(addresses)} free pairs of ports')
