"""Workers on three hosts: network namespaces of this machine, on one bridge."""

import contextlib
import os
import shutil
import subprocess
import sys

import pytest
from clusters import FLAGS
from helpers import ROOT, fork_command, read_checkpoint, run_process, start_process, wait_for

COUNT = 3
DELAY = os.path.join(ROOT, 'tests', 'delay.py')
MINE = os.getpid()  # the tests of two runtimes may run side by side

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.getuid() != 0 or not shutil.which('ip'), reason='no root or no iproute2'),
]


def run(words):
    return subprocess.call(words.split(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


VETH = (
    'ip link add {here} type veth peer name eth0 netns {host}',
    'ip link set {here} master p{mine} up',
)
TAP = (
    'ip tuntap add {here} mode tap',
    'ip -n {host} tuntap add eth0 mode tap',
    'ip link set {here} master p{mine} up',
)
UP = (
    'ip -n {host} address add 10.77.0.{number}/24 dev eth0',
    'ip -n {host} link set eth0 up',
    'ip -n {host} link set lo up',
)


@contextlib.contextmanager
def connected(cable):
    """The addresses of hosts, each with a cable to the same bridge; then removes them.

    pix2pix-PID-N is the namespace of number N, pPID-N the end of its cable here.
    """
    names = [
        {'mine': MINE, 'host': f'pix2pix-{MINE}-{n}', 'here': f'p{MINE}-{n}', 'number': n + 1}
        for n in range(COUNT)
    ]
    try:
        made = run(f'ip link add p{MINE} type bridge') and run(f'ip link set p{MINE} up')
        for words in names:
            steps = ('ip netns add {host}', *cable, *UP)
            made = made and all(run(step.format(**words)) for step in steps)
        if not made:
            pytest.skip('no right to make network namespaces')
        yield [f'10.77.0.{n + 1}' for n in range(COUNT)]
    finally:
        for words in names:
            run('ip link del {here}'.format(**words))  # a namespace may stay for a while
            run('ip netns del {host}'.format(**words))
        run(f'ip link del p{MINE}')


CONNECT = """
import socket, time
start = time.monotonic()
client = socket.socket()
client.settimeout(5)
assert client.connect_ex(('10.77.0.3', 1)) == 111  # refused
print(time.monotonic() - start)
"""


def there_and_back():
    """The seconds from the first host to the last and back.

    Skips the test if nothing comes back: a firewall for containers may drop what crosses a bridge.
    """
    result = run_process('ip', 'netns', 'exec', f'pix2pix-{MINE}-0', sys.executable, '-c', CONNECT)
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
        ends = [name for n in range(COUNT) for name in (f'p{MINE}-{n}', f'pix2pix-{MINE}-{n}')]
        wait_for(start_process(sys.executable, DELAY, '0.025', *ends), 'ready')
        yield addresses


def start_all(hosts, pairs, out, *flags):
    listed = '--workers=' + ','.join(f'{host}:2222' for host in hosts)
    flags = (f'--data={pairs}', f'--out={out}', listed, *FLAGS, *flags)
    return [
        fork_command('train', *flags, f'--task={n}', host=f'pix2pix-{MINE}-{n}')
        for n in range(COUNT)
    ]


def test_a_cable_of_100_mbit_and_50_ms_is_enough(far_hosts, pairs, tmp_path):
    assert there_and_back() >= 0.1
    for n in range(COUNT):
        if not run(
            f'tc qdisc add dev p{MINE}-{n} root tbf rate 100mbit burst 32kbit latency 400ms'
        ):
            pytest.skip('no right to limit a cable')
    processes = start_all(far_hosts, pairs, tmp_path, '--max_steps=3')
    for process in processes:
        _, errors = process.communicate(timeout=150)
        assert (process.returncode, errors) == (0, '')
    assert read_checkpoint(tmp_path)['global_step'] == 3


def test_a_host_that_cannot_be_reached_any_more_is_named(hosts, pairs, tmp_path):
    """To the others, a dead host and a cut cable are the same: nothing comes any more."""
    processes = start_all(hosts, pairs, tmp_path, '--max_steps=100000', '--save_freq=2')
    wait_for(processes[0], 'epoch 2  step 1')
    run(f'ip link set p{MINE}-1 down')
    for task in (0, 2):
        _, errors = processes[task].communicate(timeout=60)
        assert processes[task].returncode == 1
        said = 'worker 1 (10.77.0.2:2222) has said nothing for 20 s'
        assert errors.count('\n') == 1 and said in errors
    _, errors = processes[1].communicate(timeout=60)
    assert processes[1].returncode == 1
    assert 'has said nothing for 20 s' in errors and '10.77.0.2' not in errors
    assert int(read_checkpoint(tmp_path)['global_step']) >= 2
