"""Several workers on loopback train one model."""

import os
import signal
import socket
import sys
import threading

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from support.clusters import FLAGS, end_all, start_all
from support.helpers import (
    fork_script,
    read_checkpoint,
    run_command,
    run_process,
    wait_for,
)

from pix2pix_tf.distributed import launch
from pix2pix_tf.distributed.peers import Cluster
from pix2pix_tf.distributed.replica import Replica, avoid_proxies
from pix2pix_tf.monitoring import csv_log

REPLICA = 'tests/support/replica.py'


@pytest.mark.parametrize('count, steps', [(2, 12), pytest.param(3, 200, marks=pytest.mark.slow)])
def test_all_replicas_hold_the_same_values(pairs, tmp_path, count, steps):
    out, addresses = str(tmp_path / 'out'), launch.free_addresses(count)
    processes = [
        fork_script(
            'tests/support/replica.py', 'weights', pairs, out, ','.join(addresses), task, steps
        )
        for task in range(count)
    ]
    assert [(status, errors) for status, _, errors in end_all(processes)] == [(0, '')] * count
    saved = read_checkpoint(out)
    assert saved['global_step'] == steps
    for task in range(1, count):
        other = np.load(f'{out}-{task}.npz')
        assert set(other.files) == set(saved)
        for name in saved:
            if not name.endswith('ExponentialMovingAverage'):  # of a worker's own losses
                np.testing.assert_array_equal(other[name], saved[name], name)
    assert set(os.listdir(str(tmp_path))) == {'out', *(f'out-{n}.npz' for n in range(1, count))}


def test_gradients_are_the_mean_of_the_replicas(tmp_path):
    addresses = ','.join(launch.free_addresses(2))
    processes = [
        fork_script(
            'tests/support/replica.py', 'gradients', addresses, task, tmp_path / f'{task}.npz'
        )
        for task in range(2)
    ]
    assert [(status, errors) for status, _, errors in end_all(processes)] == [(0, '')] * 2
    both = [dict(np.load(str(tmp_path / f'{task}.npz'))) for task in range(2)]
    alone = []
    for task in range(2):
        # Without a cluster, nothing is averaged
        path = tmp_path / f'alone-{task}.npz'
        process = fork_script(REPLICA, 'gradients', '', task, path)
        assert process.communicate() == ('', '')
        alone.append(dict(np.load(str(path))))
    assert set(both[0]) == set(both[1]) == set(alone[0]) == set(alone[1])
    for name, gradient in both[0].items():
        assert gradient.dtype == np.float64
        np.testing.assert_array_equal(both[1][name], gradient)
        mean = (alone[0][name] + alone[1][name]) / 2
        np.testing.assert_allclose(
            gradient, mean, rtol=1e-9, atol=1e-15 + 1e-12 * np.abs(mean).max()
        )
    assert not np.allclose(alone[0]['generator/decoder_1/deconv/filter'], 0)


def test_each_path_comes_once_an_epoch(graph):
    paths, parts = [f'{n}.jpg' for n in range(5)], []
    for task in range(2):
        with tf.Graph().as_default(), tf.Session() as session:
            one = Replica(Cluster(('a:1', 'b:1'), task), threading.Event())
            one._order_seed = 3  # as the chief says it in `join`
            path = one.path_queue(paths).dequeue()
            coordinator = tf.train.Coordinator()
            threads = tf.train.start_queue_runners(session, coordinator)
            parts.append([session.run(path).decode() for _ in range(10)])
            coordinator.request_stop()
            session.close()
            coordinator.join(threads)
    seen = [path for pair in zip(*parts) for path in pair]
    epochs = [seen[n : n + 5] for n in range(0, 20, 5)]
    assert all(sorted(epoch) == paths for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_a_seed_repeats_a_run_which_may_go_on_with_another_number(pairs, tmp_path):
    outs = [str(tmp_path / name) for name in 'ab']
    for out in outs:
        flags = ('--seed=4', '--max_steps=3', '--decay_from=1', '--summary_freq=1')
        _, processes = start_all(pairs, out, 2, *flags)
        assert [(s, e) for s, _, e in end_all(processes)] == [(0, ''), (0, '')]
    first, second = ([row['losses/gen_loss_L1'] for row in csv_log.load(out)] for out in outs)
    assert first == second and len(first) == 3
    rates = [row['learning_rate'] for row in csv_log.load(outs[0])]
    assert rates == pytest.approx([0.0002, 0.0002, 0.0001])
    flags = [f'--data={pairs}', f'--out={outs[0]}', *FLAGS, '--decay_from=1']
    result = run_command('train', *flags, '--max_steps=4')
    assert (result.returncode, result.stderr) == (0, '')
    assert f'resuming from {outs[0]}/model-3' in result.stdout
    _, processes = start_all(pairs, outs[0], 2, '--max_steps=6', '--decay_from=1')
    chief, other = end_all(processes)
    assert chief[0] == other[0] == 0
    assert read_checkpoint(outs[0])['global_step'] == 6
    assert 'resuming from worker 0' in other[1]


def test_an_interrupt_of_any_worker_saves_and_ends_all(pairs, tmp_path):
    _, processes = start_all(pairs, tmp_path, 2, '--max_steps=100000')
    wait_for(processes[0], 'progress')
    os.kill(processes[1].pid, signal.SIGINT)
    chief, other = end_all(processes)
    assert (chief[0], chief[2], other[0], other[2]) == (0, '', 0, '')
    step = int(read_checkpoint(tmp_path)['global_step'])
    assert f'stopped at step {step} of 100000, saved in {tmp_path}' in chief[1]
    assert f'trained to step {step} as worker 1' in other[1]


@pytest.mark.parametrize('is_open', [True, False], ids=['a silent proxy', 'a closed port'])
def test_no_proxy_comes_between_workers(pairs, tmp_path, is_open):
    """gRPC would ask the proxy of the environment for a connection even to loopback."""
    with socket.socket() as proxy:
        proxy.bind(('127.0.0.1', 0))
        if is_open:
            proxy.listen(8)
        proxy.setblocking(False)
        address = f'http://127.0.0.1:{proxy.getsockname()[1]}'
        environment = dict.fromkeys(('http_proxy', 'https_proxy', 'grpc_proxy'), address)
        environment.update(no_proxy='example.org', no_grpc_proxy='example.net')
        _, processes = start_all(pairs, tmp_path, 2, '--max_steps=2', environment=environment)
        assert [(s, e) for s, _, e in end_all(processes)] == [(0, ''), (0, '')]
        if is_open:
            with pytest.raises(BlockingIOError):
                proxy.accept()
    assert read_checkpoint(tmp_path)['global_step'] == 2


@pytest.mark.parametrize(
    'given, wanted',
    [
        ({}, {'no_proxy': 'a,::1'}),
        ({'no_proxy': 'x, a,,'}, {'no_proxy': 'x,a,::1'}),
        ({'NO_PROXY': 'x'}, {'NO_PROXY': 'x', 'no_proxy': 'x,a,::1'}),
        ({'NO_PROXY': 'x', 'no_proxy': 'y'}, {'NO_PROXY': 'x', 'no_proxy': 'y,a,::1'}),
        ({'no_grpc_proxy': 'x'}, {'no_grpc_proxy': 'x,a,::1', 'no_proxy': 'a,::1'}),
        ({'no_grpc_proxy': ''}, {'no_grpc_proxy': 'a,::1', 'no_proxy': 'a,::1'}),
    ],
)
def test_what_needs_no_proxy_is_kept(monkeypatch, given, wanted):
    names = ('NO_PROXY', 'no_proxy', 'no_grpc_proxy')
    for name in names:
        monkeypatch.setenv(name, '')  # restored after the test
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    avoid_proxies(('a:1', '[::1]:2', 'a:3'))
    assert {name: os.environ[name] for name in names if name in os.environ} == wanted


def test_a_first_step_that_never_ends_is_explained_and_can_be_ended(pairs, tmp_path):
    """As when a firewall closes the first port of a worker, but not the second."""
    addresses = launch.free_addresses(2)
    chief, other = (
        fork_script(REPLICA, 'stall', pairs, tmp_path / 'out', ','.join(addresses), task, 1)
        for task in range(2)
    )
    line = wait_for(chief, 'no step has ended in ')
    assert f'waiting for TensorFlow to connect to worker 1 ({addresses[1]})' in line
    chief.send_signal(signal.SIGTERM)
    wait_for(chief, 'SIGTERM: finishing')
    chief.send_signal(signal.SIGTERM)
    assert chief.wait() == 128 + signal.SIGTERM
    _, errors = other.communicate()
    assert other.returncode == 1
    assert f'worker 0 ({addresses[0]}) ended' in errors


LEAVE = """
import threading
from pix2pix_tf.distributed.replica import Replica
from pix2pix_tf.distributed.peers import Cluster
Replica(Cluster(('a:1', 'b:1')), threading.Event())._leave('caf\\udce9.jpg cannot be decoded')
"""


def test_a_name_that_is_not_utf_8_ends_the_others_too():
    result = run_process(sys.executable, '-c', LEAVE)
    assert (result.returncode, result.stdout) == (1, '')
    assert 'caf\\udce9.jpg cannot be decoded' in result.stderr
