"""One training at a time in an output folder."""

import errno
import os
import shutil
import subprocess
import sys
import threading

import pytest
from support.helpers import (
    NARROW_FLAGS,
    error_line,
    fork_command,
    read_checkpoint,
    run_command,
    wait_for,
)

from pix2pix_tf import training
from pix2pix_tf.config import Config
from pix2pix_tf.system import locks
from pix2pix_tf.system.errors import Pix2PixError


def test_a_second_training_in_the_same_folder_is_refused(pairs, tmp_path):
    out = str(tmp_path)
    first = fork_command('train', f'--data={pairs}', f'--out={out}', *NARROW_FLAGS)
    wait_for(first, 'step 1 ')
    second = run_command('train', f'--data={pairs}', f'--out={out}', *NARROW_FLAGS)
    assert f'process {first.pid} is training in {out}' in error_line(second, 1)
    first.kill()  # a lock that is left in the folder keeps nobody out
    first.communicate()
    training.train(pairs, out, Config(ngf=4, ndf=4, max_steps=1))
    assert read_checkpoint(out)['global_step'] == 1


def test_the_lock_names_its_holder(tmp_path):
    with locks.locked(str(tmp_path)):
        assert (tmp_path / '.lock').read_text() == f'{os.getpid()}\n'
        with pytest.raises(Pix2PixError) as error, locks.locked(str(tmp_path)):
            pass
        assert f'process {os.getpid()} is training in {tmp_path}' in str(error.value)
    with locks.locked(str(tmp_path)):
        pass


def test_a_full_disk_keeps_nobody_from_locking(tmp_path, monkeypatch):
    def write(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'write', write)
    with locks.locked(str(tmp_path)):
        with pytest.raises(Pix2PixError) as error, locks.locked(str(tmp_path)):
            pass
        assert f'process unknown is training in {tmp_path}' in str(error.value)


LEAVING_A_WORKER = """
import os, sys
from pix2pix_tf.system import locks

with locks.locked(sys.argv[1]):
    if os.fork():
        os._exit(0)  # as if it were killed
    sys.stdin.read()
"""


@pytest.fixture
def worker(tmp_path):
    """A process that has the lock of `tmp_path` from one that has ended, until its input ends."""
    command = [sys.executable, '-c', LEAVING_A_WORKER, str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    process.wait()
    yield process
    process.stdin.close()


def test_it_waits_for_the_workers_of_a_killed_process(tmp_path, worker):
    assert (tmp_path / '.lock').read_text() == f'{worker.pid}\n'
    end = threading.Timer(0.2, worker.stdin.close)
    end.start()
    with locks.locked(str(tmp_path)):
        assert worker.stdin.closed
    end.join()


def test_a_worker_that_stays_is_not_waited_for_without_end(tmp_path, worker, monkeypatch):
    monkeypatch.setattr(locks, 'PATIENCE', 0.1)
    with pytest.raises(Pix2PixError) as error, locks.locked(str(tmp_path)):
        pass
    assert f'process {worker.pid} is training in {tmp_path}' in str(error.value)


@pytest.mark.parametrize('kind', ['link', 'dangling', 'pipe', 'folder'])
def test_a_lock_is_a_regular_file(tmp_path, kind):
    (tmp_path / 'mine').write_text('mine')
    out = tmp_path / 'out'
    out.mkdir()
    path = out / '.lock'
    if kind == 'pipe':
        os.mkfifo(str(path))
    elif kind == 'folder':
        path.mkdir()
    else:
        path.symlink_to(tmp_path / {'link': 'mine', 'dangling': 'nothing'}[kind])
    with pytest.raises(Pix2PixError) as error, locks.locked(str(out)):
        pass
    assert str(error.value) == f'{path} is not a regular file: remove it'
    assert (tmp_path / 'mine').read_text() == 'mine' and not (tmp_path / 'nothing').exists()


def test_a_lock_file_of_another_program_is_locked_and_keeps_its_text(tmp_path):
    path = tmp_path / '.lock'
    path.write_text('version = 1\n')
    with locks.locked(str(tmp_path)):
        assert path.read_text() == 'version = 1\n'
        with pytest.raises(Pix2PixError, match='process unknown is training'), locks.locked(
            str(tmp_path)
        ):
            pass


def test_the_lock_of_a_folder_that_was_removed_is_taken_again(tmp_path, capsys):
    out = tmp_path / 'out'
    out.mkdir()
    with locks.locked(str(out)) as lock:
        lock.take_again()
        assert capsys.readouterr().out == ''
        shutil.rmtree(str(out))
        lock.take_again()
        assert capsys.readouterr().out == f'{out}/.lock was removed: {out} is locked again\n'
        assert (out / '.lock').read_text() == f'{os.getpid()}\n'
        with pytest.raises(Pix2PixError, match='is training in'), locks.locked(str(out)):
            pass
    with locks.locked(str(out)):
        pass


def test_a_folder_that_another_process_has_locked_by_now_is_not_taken(tmp_path):
    out = tmp_path / 'out'
    out.mkdir()
    with locks.locked(str(out)) as lock:
        shutil.rmtree(str(out))
        out.mkdir()
        command = [sys.executable, '-c', LEAVING_A_WORKER, str(out)]
        other = subprocess.Popen(command, stdin=subprocess.PIPE)
        other.wait()
        with open(str(out / '.lock'), 'w') as file:
            file.write('1\n')  # a process that runs
        with pytest.raises(Pix2PixError, match=f'process 1 is training in {out}'):
            lock.take_again()
        other.stdin.close()
