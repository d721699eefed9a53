"""What happens to several workers if one of them fails."""

import os
import shutil
import signal
import socket

import pytest
from support.clusters import end_all, start, start_all
from support.helpers import (
    NARROW_FLAGS,
    fork_script,
    read_checkpoint,
    start_command,
    wait_for,
    wait_until,
    write_cut_off,
)

from pix2pix_tf.distributed import launch

# They are real ones: no child of the fork server starts the other
TWO_PROCESSES = (*NARROW_FLAGS, '--workers=2', '--max_steps=100000')


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
        _, errors = process.communicate()
        assert process.returncode == 1
        said = f'worker 1 ({addresses[1]}) has said nothing for 20 s'
        assert errors.count('\n') == 1 and said in errors, errors
    os.kill(processes[1].pid, signal.SIGCONT)
    processes[1].communicate()
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
    addresses = launch.free_addresses(2)
    listed = ','.join(addresses)
    processes = [
        fork_script('tests/support/replica.py', 'nan', pairs, tmp_path / 'out', listed, task, 50)
        for task in range(2)
    ]
    (chief, _, line), (other, _, error) = end_all(processes)
    assert chief == 1 and other == 1
    assert line.count('\n') == 1
    assert f'worker 1 ({addresses[1]}) ended: step 3: discrim_loss is nan' in line
    assert 'TrainingError: step 3: discrim_loss is nan' in error


def test_workers_with_other_options_or_data_are_refused(pairs, tmp_path):
    addresses = launch.free_addresses(2)
    chief = start(pairs, tmp_path, addresses, 0, '--batch_size=2')
    other = start(pairs, tmp_path, addresses, 1, '--batch_size=1', '--num_threads=1')
    said = f'worker 1 ({addresses[1]}) and the chief differ: --batch_size 1 and 2; give all'
    for status, _, errors in end_all([chief, other]):
        assert status == 2 and errors.count('\n') == 1 and said in errors, errors


def test_workers_with_other_addresses_are_refused(pairs, tmp_path):
    first, second, third = launch.free_addresses(3)
    chief = start(pairs, tmp_path, [first, second], 0)
    other = start(pairs, tmp_path, [first, third], 1)
    _, errors = other.communicate()
    assert other.returncode == 1
    assert f'worker 0 ({first}) has other --workers' in errors
    chief.terminate()
    printed, errors = chief.communicate()
    assert (chief.returncode, errors) == (0, '')
    assert 'stopped before all workers had joined' in printed


@pytest.mark.slow
def test_a_late_worker_is_waited_for_and_strangers_do_no_harm(pairs, tmp_path):
    addresses = launch.free_addresses(2)
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
    flags = [f'--data={pairs}', f'--out={tmp_path}', *TWO_PROCESSES]
    process = start_command('train', *flags, '--save_freq=1')
    assert 'as worker 0 (127.0.0.1:' in wait_for(process, 'as worker')
    wait_for(process, 'saving model')
    [child] = children_of(process.pid)
    process.kill()
    process.communicate()
    wait_until(lambda: not os.path.exists(f'/proc/{child}'), 'the end of the other worker')


def children_of(pid):
    with open(f'/proc/{pid}/task/{pid}/children') as file:
        return [int(child) for child in file.read().split()]


def test_a_worker_of_this_machine_that_dies_is_named(pairs, tmp_path):
    flags = [f'--data={pairs}', f'--out={tmp_path}', *TWO_PROCESSES]
    process = start_command('train', *flags)
    wait_for(process, 'progress')
    [child] = children_of(process.pid)
    os.kill(child, signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == 1 and errors.count('\n') == 1
    assert 'worker 1 (127.0.0.1:' in errors


@pytest.mark.parametrize('offset', [0, 1])
def test_a_port_that_is_taken_is_named(pairs, tmp_path, offset):
    addresses = launch.free_addresses(2)
    port = int(addresses[0].rpartition(':')[2]) + offset
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', port))
        taken.listen(1)
        process = start(pairs, tmp_path, addresses, 0)
        printed, errors = process.communicate()
    assert process.returncode == 1
    assert f'cannot listen on 127.0.0.1:{port}' in errors and errors.count('\n') == 1
