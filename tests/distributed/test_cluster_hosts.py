"""Workers on three hosts: network namespaces of this machine, on one bridge."""

import contextlib
import os
import shutil
import subprocess
import sys
import typing

import pytest
from support.clusters import FLAGS
from support.helpers import (
    ROOT,
    fork_command,
    read_checkpoint,
    run_process,
    start_process,
    wait_for,
)

COUNT = 3
DELAY = os.path.join(ROOT, 'tests', 'support', 'delay.py')
MINE = os.getpid()  # the tests of two runtimes may run side by side

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.getuid() != 0 or not shutil.which('ip'), reason='no root or no iproute2'),
]


def run(words):
    return subprocess.call(words.split(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


VETH = ('ip link add {cable} type veth peer name eth0 netns {namespace}',)
TAP = ('ip tuntap add {cable} mode tap', 'ip -n {namespace} tuntap add eth0 mode tap')
UP = (
    'ip link set {cable} master {bridge} up',
    'ip -n {namespace} address add {address}/24 dev eth0',
    'ip -n {namespace} link set eth0 up',
    'ip -n {namespace} link set lo up',
)


class Host(typing.NamedTuple):
    """A network namespace with a cable to the bridge."""

    address: str
    namespace: str
    cable: str  # the device at this end of the cable


HOSTS = [Host(f'10.77.0.{n + 1}', f'pix2pix-{MINE}-{n}', f'p{MINE}-{n}') for n in range(COUNT)]


@contextlib.contextmanager
def connected(cable):
    """The addresses of HOSTS, each with such a cable to the same bridge; then removes them."""
    bridge = f'p{MINE}'
    try:
        made = run(f'ip link add {bridge} type bridge') and run(f'ip link set {bridge} up')
        for host in HOSTS:
            steps = ('ip netns add {namespace}', *cable, *UP)
            made = made and all(run(s.format(bridge=bridge, **host._asdict())) for s in steps)
        if not made:
            pytest.skip('no right to make network namespaces')
        yield [host.address for host in HOSTS]
    finally:
        for host in HOSTS:
            run(f'ip link del {host.cable}')  # a namespace may stay for a while
            run(f'ip netns del {host.namespace}')
        run(f'ip link del {bridge}')


CONNECT = """
import socket, sys, time
start = time.monotonic()
client = socket.socket()
client.settimeout(5)
assert client.connect_ex((sys.argv[1], 1)) == 111  # refused
print(time.monotonic() - start)
"""


def there_and_back():
    """The seconds from the first host to the last and back.

    Skips the test if nothing comes back: a firewall for containers may drop what crosses a bridge.
    """
    command = ['ip', 'netns', 'exec', HOSTS[0].namespace, sys.executable, '-c', CONNECT]
    result = run_process(*command, HOSTS[-1].address)
    if result.returncode:
        pytest.skip('network namespaces do not reach each other: is there a firewall?')
    return float(result.stdout)


@pytest.fixture
def hosts():
    """The addresses of the hosts."""
    with connected(VETH) as addresses:
        there_and_back()
        yield addresses


@pytest.fixture
def far_hosts():
    """The addresses of hosts 50 ms away from each other: half of it on the way to the bridge."""
    with connected(TAP) as addresses:
        ends = [name for host in HOSTS for name in (host.cable, host.namespace)]
        wait_for(start_process(sys.executable, DELAY, '0.025', *ends), 'ready')
        yield addresses


def start_all(hosts, pairs, out, *flags):
    listed = '--workers=' + ','.join(f'{host}:2222' for host in hosts)
    flags = (f'--data={pairs}', f'--out={out}', listed, *FLAGS, *flags)
    return [
        fork_command('train', *flags, f'--task={n}', host=host.namespace)
        for n, host in enumerate(HOSTS)
    ]


def test_a_cable_of_100_mbit_and_50_ms_is_enough(far_hosts, pairs, tmp_path):
    assert there_and_back() >= 0.1
    for host in HOSTS:
        limit = 'root tbf rate 100mbit burst 32kbit latency 400ms'
        if not run(f'tc qdisc add dev {host.cable} {limit}'):
            pytest.skip('no right to limit a cable')
    # Wide: 3 MB of gradients in each step
    processes = start_all(far_hosts, pairs, tmp_path, '--ngf=8192', '--max_steps=3')
    for process in processes:
        _, errors = process.communicate()
        assert (process.returncode, errors) == (0, '')
    assert read_checkpoint(tmp_path)['global_step'] == 3


def test_a_host_that_cannot_be_reached_any_more_is_named(hosts, pairs, tmp_path):
    """To the others, a dead host and a cut cable are the same: nothing comes any more."""
    processes = start_all(hosts, pairs, tmp_path, '--max_steps=100000', '--save_freq=2')
    wait_for(processes[0], 'epoch 2  step 1')
    run(f'ip link set {HOSTS[1].cable} down')
    for task in (0, 2):
        _, errors = processes[task].communicate()
        assert processes[task].returncode == 1
        said = 'worker 1 (10.77.0.2:2222) has said nothing for 20 s'
        assert errors.count('\n') == 1 and said in errors
    _, errors = processes[1].communicate()
    assert processes[1].returncode == 1
    assert 'has said nothing for 20 s' in errors and '10.77.0.2' not in errors
    assert int(read_checkpoint(tmp_path)['global_step']) >= 2
