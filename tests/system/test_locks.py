"""One training at a time in an output folder."""

import errno
import os
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
