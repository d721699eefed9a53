"""Several workers on loopback: one model, and what happens if one of them fails."""

import json
import os
import shutil
import signal
import socket
import threading

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from helpers import (
    NARROW_FLAGS,
    fork_command,
    fork_script,
    read_checkpoint,
    run_command,
    start_command,
    wait_for,
    wait_until,
    write_cut_off,
)

from pix2pix_tf.cli import workers
from pix2pix_tf.cluster import Replica
from pix2pix_tf.monitoring import losses
from pix2pix_tf.system.errors import UsageError
from pix2pix_tf.system.peers import Cluster

FLAGS = (*NARROW_FLAGS, '--ngf=2', '--ndf=2')


def start(pairs, out, addresses, task, *flags):
    """One worker, in a child of the fork server."""
    listed = f'--workers={",".join(addresses)}'
    return fork_command(
        'train', f'--data={pairs}', f'--out={out}', listed, f'--task={task}', *FLAGS, *flags
    )


def start_all(pairs, out, count, *flags):
    addresses = workers.free_addresses(count)
    return addresses, [start(pairs, out, addresses, task, *flags) for task in range(count)]


def end_all(processes):
    """[(status, standard output, standard error)] of each."""
    ended = [process.communicate(timeout=120) for process in processes]
    return [(process.returncode, *texts) for process, texts in zip(processes, ended)]


@pytest.mark.parametrize('count, steps', [(2, 12), pytest.param(3, 200, marks=pytest.mark.slow)])
def test_all_replicas_hold_the_same_values(pairs, tmp_path, count, steps):
    out, addresses = str(tmp_path / 'out'), workers.free_addresses(count)
    processes = [
        fork_script('replica.py', 'weights', pairs, out, ','.join(addresses), task, steps)
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
    addresses = ','.join(workers.free_addresses(2))
    processes = [
        fork_script('replica.py', 'gradients', addresses, task, tmp_path / f'{task}.npz')
        for task in range(2)
    ]
    assert [(status, errors) for status, _, errors in end_all(processes)] == [(0, '')] * 2
    both = [dict(np.load(str(tmp_path / f'{task}.npz'))) for task in range(2)]
    alone = []
    for task in range(2):
        # A cluster of one, which averages nothing
        process = fork_script('replica.py', 'gradients', '', task, tmp_path / f'alone-{task}.npz')
        assert process.communicate(timeout=100) == ('', '')
        alone.append(dict(np.load(str(tmp_path / f'alone-{task}.npz'))))
    assert len(both[0]) == 55
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
        _, processes = start_all(pairs, out, 2, '--seed=4', '--max_steps=3', '--summary_freq=1')
        assert [(s, e) for s, _, e in end_all(processes)] == [(0, ''), (0, '')]
    first, second = ([row['losses/gen_loss_L1'] for row in losses.load(out)] for out in outs)
    assert first == second and len(first) == 3
    result = run_command('train', f'--data={pairs}', f'--out={outs[0]}', *FLAGS, '--max_steps=4')
    assert (result.returncode, result.stderr) == (0, '')
    assert f'resuming from {outs[0]}/model-3' in result.stdout
    _, processes = start_all(pairs, outs[0], 2, '--max_steps=6')
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


@pytest.mark.parametrize('victim', [0, 1])
def test_a_worker_that_is_killed_ends_all(pairs, tmp_path, victim):
    addresses, processes = start_all(pairs, tmp_path, 3, '--max_steps=100000', '--save_freq=2')
    wait_for(processes[0], 'epoch 2  step 1')
    processes[victim].kill()
    for task, (status, _, errors) in enumerate(end_all(processes)):
        if task != victim:
            said = f'worker {victim} ({addresses[victim]}) ended; the same command resumes'
            assert status == 1 and errors.count('\n') == 1 and said in errors, errors
    assert int(read_checkpoint(tmp_path)['global_step']) >= 2


@pytest.mark.slow
def test_a_worker_that_is_stopped_ends_all(pairs, tmp_path):
    addresses, processes = start_all(pairs, tmp_path, 3, '--max_steps=100000', '--save_freq=2')
    wait_for(processes[0], 'epoch 2  step 1')
    os.kill(processes[1].pid, signal.SIGSTOP)
    for process in (processes[0], processes[2]):
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        said = f'worker 1 ({addresses[1]}) has said nothing for 20 s'
        assert errors.count('\n') == 1 and said in errors, errors
    os.kill(processes[1].pid, signal.SIGCONT)
    processes[1].communicate(timeout=60)
    assert processes[1].returncode == 1


def test_a_file_that_one_worker_cannot_read_ends_all(pairs, tmp_path):
    folder = tmp_path / 'pairs'
    shutil.copytree(pairs, str(folder))
    write_cut_off(folder / '3.jpg')
    _, processes = start_all(folder, tmp_path / 'out', 2, '--max_steps=100000')
    ended = end_all(processes)
    for status, _, errors in ended:
        assert status == 1 and errors.count('\n') == 1
        assert f'{folder}/3.jpg cannot be decoded' in errors


def test_numbers_that_are_not_finite_in_one_worker_end_all(pairs, tmp_path):
    addresses = workers.free_addresses(2)
    processes = [
        fork_script('replica.py', 'nan', pairs, tmp_path / 'out', ','.join(addresses), task, 50)
        for task in range(2)
    ]
    (chief, _, line), (other, _, error) = end_all(processes)
    assert chief == 1 and other == 1
    assert line.count('\n') == 1
    assert f'worker 1 ({addresses[1]}) ended: step 3: discrim_loss is nan' in line
    assert 'TrainingError: step 3: discrim_loss is nan' in error


def test_workers_with_other_options_or_data_are_refused(pairs, tmp_path):
    addresses = workers.free_addresses(2)
    chief = start(pairs, tmp_path, addresses, 0, '--batch_size=2')
    other = start(pairs, tmp_path, addresses, 1, '--batch_size=1', '--num_threads=1')
    said = f'worker 1 ({addresses[1]}) and the chief differ: --batch_size 1 and 2; give all'
    for status, _, errors in end_all([chief, other]):
        assert status == 2 and errors.count('\n') == 1 and said in errors, errors


def test_workers_with_other_addresses_are_refused(pairs, tmp_path):
    first, second, third = workers.free_addresses(3)
    chief = start(pairs, tmp_path, [first, second], 0)
    other = start(pairs, tmp_path, [first, third], 1)
    _, errors = other.communicate(timeout=60)
    assert other.returncode == 1
    assert f'worker 0 ({first}) has other --workers' in errors
    chief.terminate()
    printed, errors = chief.communicate(timeout=60)
    assert (chief.returncode, errors) == (0, '')
    assert 'stopped before all workers were here' in printed


@pytest.mark.slow
def test_a_late_worker_is_waited_for_and_strangers_do_no_harm(pairs, tmp_path):
    addresses = workers.free_addresses(2)
    chief = start(pairs, tmp_path, addresses, 0, '--max_steps=2')
    assert wait_for(chief, 'waiting for') == f'waiting for worker 1 ({addresses[1]})\n'
    port = int(addresses[0].rpartition(':')[2]) + 1
    strangers = [
        b'GET / HTTP/1.1\r\n\r\n',
        b'\x00' * 100000,
        b'{"task": 1}\n',
        b'[]\n',
        b'1\n',
        b'',
    ]
    open_ones = []
    for words in strangers:
        stranger = socket.create_connection(('127.0.0.1', port))
        stranger.sendall(words)
        open_ones.append(stranger)
    other = start(pairs, tmp_path, addresses, 1, '--max_steps=2')
    assert [status for status, *_ in end_all([chief, other])] == [0, 0]
    for stranger in open_ones:
        stranger.close()
    with pytest.raises(OSError):
        socket.create_connection(('127.0.0.1', port))


def test_workers_of_one_machine_end_with_it(pairs, tmp_path):
    """--workers=2 starts the other one, which ends when the chief is killed."""
    flags = [f'--data={pairs}', f'--out={tmp_path}', *FLAGS, '--workers=2', '--max_steps=100000']
    process = start_command('train', *flags, '--save_freq=1')
    assert 'as worker 0 (127.0.0.1:' in wait_for(process, 'as worker')
    wait_for(process, 'saving model')
    [child] = children_of(process.pid)
    process.kill()
    process.communicate(timeout=60)
    wait_until(lambda: not os.path.exists(f'/proc/{child}'), 'the end of the other worker')


def children_of(pid):
    with open(f'/proc/{pid}/task/{pid}/children') as file:
        return [int(child) for child in file.read().split()]


def test_a_worker_of_this_machine_that_dies_is_named(pairs, tmp_path):
    flags = [f'--data={pairs}', f'--out={tmp_path}', *FLAGS, '--workers=2', '--max_steps=100000']
    process = start_command('train', *flags)
    wait_for(process, 'progress')
    [child] = children_of(process.pid)
    os.kill(child, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and errors.count('\n') == 1
    assert 'worker 1 (127.0.0.1:' in errors


def test_how_the_flags_describe_a_cluster():
    assert workers.parse(None, None) == 1
    assert workers.parse('3', None) == 3
    assert workers.parse('a:1, b:2', 1) == Cluster(('a:1', 'b:2'), 1)
    assert workers.parse('[::1]:7,b:2', 0).workers[0] == '[::1]:7'
    chief = {'cluster': {'chief': ['c:1'], 'worker': ['a:1', 'b:1']}}
    for kind, index, task in (('chief', 0, 0), ('worker', 0, 1), ('worker', 1, 2)):
        config = json.dumps(dict(chief, task={'type': kind, 'index': index}))
        assert workers.parse(None, None, config) == Cluster(('c:1', 'a:1', 'b:1'), task)
        assert workers.parse('x:1,y:1', 0, config).workers == ('x:1', 'y:1')
    alone = json.dumps({'cluster': {'worker': ['a:1']}, 'task': {'type': 'worker', 'index': 0}})
    assert workers.parse(None, None, alone) == 1
    assert workers.parse(None, None, '{}') == 1


@pytest.mark.parametrize(
    'given, task, words',
    [
        ('0', None, '`workers` is 0'),
        ('2', 1, '`task` needs addresses'),
        (None, 0, '`task` needs `workers`'),
        ('a:1,b', 0, "'b': it must be host:port"),
        ('a:1,b:x', 0, "'b:x'"),
        ('a:1,b:65535', 0, 'below 65535'),
        ('a:1,a:1', 0, 'the same address twice'),
        ('a:1,b:1', None, '`task` says which'),
        ('a:1,b:1', 2, '`task` is 2: it must be from 0 to 1'),
    ],
)
def test_flags_that_describe_no_cluster(given, task, words):
    with pytest.raises(UsageError) as error:
        workers.parse(given, task)
    assert words in str(error.value)


@pytest.mark.parametrize('text', ['{', '[]', '{"cluster": {"ps": ["a:1"], "worker": ["b:1"]}}'])
def test_a_tf_config_that_cannot_be_used(text):
    with pytest.raises(UsageError) as error:
        workers.parse(None, None, text)
    assert 'TF_CONFIG' in str(error.value)


def test_each_worker_has_a_gpu_or_its_part_of_the_cores(tmp_path, monkeypatch):
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    for name in ('nvidia0', 'nvidia1', 'nvidiactl', 'nvidia-uvm'):
        (tmp_path / name).write_bytes(b'')
    with pytest.raises(UsageError) as error:
        workers.start_here(3, str(tmp_path))
    assert '`workers` is 3, but there are 2 GPUs' in str(error.value)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {0, 1, 2, 3, 4})
    assert workers._share_cores(2) == [{0, 2, 4}, {1, 3}]
    assert workers._share_cores(6)[5] == {0}


def test_a_port_that_is_taken_is_named(pairs, tmp_path):
    addresses = workers.free_addresses(2)
    port = int(addresses[0].rpartition(':')[2]) + 1
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', port))
        taken.listen(1)
        process = start(pairs, tmp_path, addresses, 0)
        printed, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f'cannot listen on 127.0.0.1:{port}' in errors and errors.count('\n') == 1
