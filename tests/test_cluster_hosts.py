"""Workers on three hosts: network namespaces of this machine, on one bridge."""

import os
import shutil
import subprocess

import pytest
from clusters import FLAGS
from helpers import fork_command, read_checkpoint, wait_for

COUNT = 3
MINE = os.getpid()  # the tests of two runtimes may run side by side

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.getuid() != 0 or not shutil.which('ip'), reason='no root or no iproute2'),
]


def run(words):
    return subprocess.call(words.split(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


@pytest.fixture
def hosts():
    """The addresses of the hosts; pix2pix-PID-N is the namespace of number N, pPID-N its cable."""
    made = run(f'ip link add p{MINE} type bridge') and run(f'ip link set p{MINE} up')
    for n in range(COUNT):
        made = made and all(
            map(
                run,
                (
                    f'ip netns add pix2pix-{MINE}-{n}',
                    f'ip link add p{MINE}-{n} type veth peer name eth0 netns pix2pix-{MINE}-{n}',
                    f'ip link set p{MINE}-{n} master p{MINE} up',
                    f'ip -n pix2pix-{MINE}-{n} address add 10.77.0.{n + 1}/24 dev eth0',
                    f'ip -n pix2pix-{MINE}-{n} link set eth0 up',
                    f'ip -n pix2pix-{MINE}-{n} link set lo up',
                ),
            )
        )
    if made:
        yield [f'10.77.0.{n + 1}' for n in range(COUNT)]
    for n in range(COUNT):
        run(f'ip link del p{MINE}-{n}')  # a namespace may stay for a while
        run(f'ip netns del pix2pix-{MINE}-{n}')
    run(f'ip link del p{MINE}')
    if not made:
        pytest.skip('no right to make network namespaces')


def start_all(hosts, pairs, out, *flags):
    listed = '--workers=' + ','.join(f'{host}:2222' for host in hosts)
    flags = (f'--data={pairs}', f'--out={out}', listed, *FLAGS, *flags)
    return [
        fork_command('train', *flags, f'--task={n}', host=f'pix2pix-{MINE}-{n}')
        for n in range(COUNT)
    ]


def test_a_cable_of_100_mbit_is_enough(hosts, pairs, tmp_path):
    for n in range(COUNT):
        if not run(
            f'tc qdisc add dev p{MINE}-{n} root tbf rate 100mbit burst 32kbit latency 400ms'
        ):
            pytest.skip('no right to limit a cable')
    processes = start_all(hosts, pairs, tmp_path, '--max_steps=3')
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
