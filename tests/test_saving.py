"""When a run saves, and that no kill and no full disk costs a checkpoint."""

import glob
import os
import random
import shutil
import signal
import subprocess
import time
import types
from dataclasses import replace

import numpy as np
import pytest
from support.helpers import (
    SMALL,
    SMALL_FLAGS,
    error_line,
    fork_command,
    read_checkpoint,
    run_command,
    wait_for,
)

from pix2pix_tf import checkpoints, saving, training
from pix2pix_tf.system.errors import DataError

# So that a save takes a while
WIDE = replace(SMALL, ngf=8192)
WIDE_FLAGS = (*SMALL_FLAGS, '--ngf=8192', '--ndf=4')


@pytest.mark.slow
def test_a_save_is_whole_or_not_there(pairs, tmp_path):
    """Killed in ten saves or more, until one was cut off: what is then the newest restores."""
    out = str(tmp_path)
    flags = [*WIDE_FLAGS, '--save_freq=1', '--progress_freq=0', '--max_steps=1000000']
    rng = random.Random(4)
    steps, in_a_save = [], 0
    for _ in range(30):
        process = fork_command('train', f'--data={pairs}', f'--out={out}', *flags)
        wait_for(process, 'saving model')
        wait_for(process, 'saving model')  # the first of the two is whole
        deadline = time.monotonic() + 10
        while not unfinished(out) and time.monotonic() < deadline:
            time.sleep(0.0005)
        time.sleep(rng.uniform(0, 0.03))  # somewhere in a save, or just after it
        process.kill()
        _, errors = process.communicate()
        assert (process.returncode, errors) == (-signal.SIGKILL, '')
        in_a_save += bool(unfinished(out))
        values = read_checkpoint(out)
        step = int(values['global_step'])
        assert checkpoints.step_of(checkpoints.latest(out)) == step
        assert all(np.isfinite(value).all() for value in values.values())
        steps.append(step)
        if in_a_save and len(steps) >= 10:
            break
    assert steps == sorted(set(steps))  # every run resumed from the one before
    assert in_a_save > 0
    saving.remove_unfinished(out)
    assert unfinished(out) == []


def unfinished(out):
    """What shows that a process was killed while it saved: parts not yet put together."""
    return glob.glob(os.path.join(out, 'model-*.tempstate*'))


def test_as_many_checkpoints_are_kept_as_asked(pairs, tmp_path, narrow):
    out = str(tmp_path)
    training.train(pairs, out, replace(narrow, max_steps=4, save_freq=1, keep=2))
    training.train(pairs, out, replace(narrow, max_steps=5, save_freq=1, keep=2))
    names = {name.split('.')[0] for name in os.listdir(out)}
    assert {n for n in names if n.startswith('model')} == {'model-4', 'model-5'}
    assert 'checkpoint' in names


def test_saving_by_the_clock(pairs, tmp_path, narrow, monkeypatch, capsys):
    now = [0.0]

    def tick():  # a minute passes between two looks at the clock
        now[0] += 60
        return now[0]

    monkeypatch.setattr(saving, 'time', types.SimpleNamespace(monotonic=tick))
    training.train(
        pairs, str(tmp_path), replace(narrow, max_steps=4, progress_freq=0, save_secs=150)
    )
    assert capsys.readouterr().out.count('saving model') == 2


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 100 MB, where one can be mounted."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    mounted = subprocess.call(
        ['mount', '-t', 'tmpfs', '-o', 'size=100m', 'tmpfs', str(folder)], stderr=subprocess.DEVNULL
    )
    if mounted != 0:
        pytest.skip('no right to mount a disk')
    yield folder
    subprocess.check_call(['umount', '-l', str(folder)])


@pytest.mark.slow
def test_a_full_disk_fails_the_run_only_if_it_stays_full(pairs, small_disk):
    out = small_disk / 'out'
    flags = ('train', f'--data={pairs}', f'--out={out}', *WIDE_FLAGS, '--save_freq=2')
    training.train(pairs, str(out), replace(WIDE, max_steps=2))
    ballast = small_disk / 'ballast'
    free = os.statvfs(str(small_disk))
    ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - 4000000))
    result = run_command(*flags, '--max_steps=6')
    line = error_line(result, 1)
    assert f'cannot save {out}/model-6' in line and 'No space left on device' in line
    assert result.stdout.count('earlier checkpoints are kept') == 2  # and it trained to the end
    assert read_checkpoint(out)['global_step'] == 2
    assert [p for p in os.listdir(str(out)) if p.startswith(('model-4', 'model-6'))] == []

    process = fork_command(*flags, '--max_steps=100000')
    wait_for(process, 'earlier checkpoints are kept')
    ballast.unlink()  # room again: the next save works, and the run ends well
    process.terminate()
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, '')
    assert read_checkpoint(out)['global_step'] >= 4


def test_a_file_that_spoils_the_run_costs_no_step(pairs, tmp_path, narrow, monkeypatch, capsys):
    """What was learned before it is saved, and the error still names it."""
    folder = tmp_path / 'pairs'
    shutil.copytree(pairs, str(folder))
    original = training.check_finite

    def spoil(step, *rest):
        original(step, *rest)
        if step == 3:
            for path in folder.iterdir():
                (tmp_path / 'empty').write_bytes(b'')
                (tmp_path / 'empty').replace(path)  # no reader sees a file that shrinks

    monkeypatch.setattr(training, 'check_finite', spoil)
    with pytest.raises(DataError) as error:
        training.train(str(folder), str(tmp_path / 'out'), narrow)
    assert str(folder) in str(error.value)
    assert read_checkpoint(tmp_path / 'out')['global_step'] >= 3
    assert 'stopped' not in capsys.readouterr().out
