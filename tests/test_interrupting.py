"""Nothing lost: runs that are stopped, killed, locked out, or run out of numbers and disk."""

import glob
import os
import random
import shutil
import signal
import subprocess
import time
import types

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import command_options, error_line, run_command, start_command, wait_for

from pix2pix_tf import checkpoints, config, training
from pix2pix_tf.system import locks, signals
from pix2pix_tf.config import Config
from pix2pix_tf.system.errors import Pix2PixError, TrainingError

NARROW_FLAGS = ('--ngf=4', '--ndf=4', '--progress_freq=1')


def restored(out):
    """{name: value} of every variable in the newest checkpoint, all of them read."""
    reader = tf.train.NewCheckpointReader(checkpoints.latest(out))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_saved_and_in_silence(pairs, tmp_path, number, capsys):
    out = str(tmp_path)
    process = start_command('train', f'--data={pairs}', f'--out={out}', *NARROW_FLAGS)
    wait_for(process, 'step 2 ')
    process.send_signal(number)
    printed, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, '')
    lines = printed.splitlines()
    assert any(line.startswith(f'{signal.Signals(number).name}: finishing') for line in lines)
    step = int(restored(out)['global_step'])
    assert lines[-1].startswith(f'stopped at step {step} of 1000, saved in {out}; the same command')
    training.train(pairs, out, Config(ngf=4, ndf=4, max_steps=step + 1))
    assert f'resuming from {out}/model-{step}' in capsys.readouterr().out
    assert restored(out)['global_step'] == step + 1


def test_a_second_sigint_leaves_at_once(tmp_path):
    """In a process that would otherwise finish a step of an hour."""
    code = (
        'import time\n'
        'from pix2pix_tf import interrupts\n'
        'with signals.stopping_on_signals(lambda line: print(line, flush=True)):\n'
        '    print("ready", flush=True)\n'
        '    end = time.time() + 3600\n'
        '    while time.time() < end:\n'
        '        time.sleep(1)\n'
    )
    process = start_command('train')
    process.kill()
    process.communicate()
    process = subprocess.Popen(
        [process.args[0], '-c', code], stdout=subprocess.PIPE, universal_newlines=True
    )
    assert process.stdout.readline() == 'ready\n'
    process.send_signal(signal.SIGINT)
    assert 'interrupt again to leave at once' in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in signals.SIGNALS]
    with signals.stopping_on_signals() as stop:
        assert not stop.is_set()
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in signals.SIGNALS] == before


def test_a_run_that_was_killed_sees_the_weights_of_its_save(pairs, tmp_path, monkeypatch):
    """Killed after the save of step 3, and resumed there: the same numbers, all of them."""
    out = str(tmp_path / 'out')
    flags = ('train', f'--data={pairs}', f'--out={out}', '--save_freq=3', *NARROW_FLAGS)
    process = start_command(*flags)
    wait_for(process, 'step 4 ')
    process.kill()
    process.communicate()
    saved = restored(out)
    step = int(saved['global_step'])
    assert step % 3 == 0
    shutil.copytree(out, str(tmp_path / 'copy'))
    names = {}

    def read(session, *_):  # what the resumed run starts with
        names.update(session.run({v.op.name: v for v in tf.global_variables()}))
        return step

    monkeypatch.setattr(training, '_run_steps', read)
    training.train(pairs, str(tmp_path / 'copy'), Config(ngf=4, ndf=4))
    assert set(names) == set(saved)
    for name in saved:
        np.testing.assert_array_equal(names[name], saved[name], err_msg=name)
    assert abs(saved['beta1_power'] - 0.5 ** (step + 1)) < 1e-6


def test_other_options_are_named_and_refused_but_for_the_free_ones(pairs, trained, tmp_path):
    out = str(tmp_path / 'out')
    shutil.copytree(trained, out)
    flags = ['train', f'--data={pairs}', f'--out={out}', '--ngf=4', '--ndf=4', '--max_steps=3']
    result = run_command(*flags, '--learning_rate=0.001', '--batch_size=2', '--save_freq=7')
    line = error_line(result, 1)
    assert '--learning_rate was 0.0002, now 0.001' in line
    assert '--batch_size was 1, now 2' in line
    assert 'save_freq' not in line and 'max_steps' not in line
    assert restored(out)['global_step'] == 2
    assert config.load(out) == config.load(trained)
    result = run_command(*flags, '--learning_rate=0.001', '--override')
    assert (result.returncode, result.stderr) == (0, '')
    assert restored(out)['global_step'] == 3
    assert config.load(out).learning_rate == 0.001


def test_differences_leave_out_what_is_free():
    saved = Config()
    for name in config.FREE:
        assert config.differences(saved, saved._replace(**{name: 77})) == []
    assert config.differences(saved, saved._replace(ngf=8)) == ['--ngf was 64, now 8']


# Runs a command for every line it reads, each in a process that has TensorFlow loaded already
FORKING = """
import os, runpy, sys
from pix2pix_tf.cli import common
common.load('training')
del sys.argv[0]
for _ in sys.stdin:
    pid = os.fork()
    if pid == 0:
        runpy.run_path(sys.argv[0], run_name='__main__')
    print('process', pid, flush=True)
    print('end', os.waitpid(pid, 0)[1], flush=True)
"""


@pytest.mark.slow
def test_a_save_is_whole_or_not_there(pairs, tmp_path):
    """Killed in 20 saves: what the folder then names as its newest checkpoint restores."""
    out = str(tmp_path)
    options = command_options(
        'train', f'--data={pairs}', f'--out={out}', '--ngf=8', '--ndf=8', '--save_freq=1',
        '--progress_freq=0', '--max_steps=1000000',
    )  # fmt: skip
    options['args'][1:1] = ['-c', FORKING]
    process = subprocess.Popen(stdin=subprocess.PIPE, **options)
    rng = random.Random(4)
    steps, in_a_save = [], 0
    for _ in range(20):
        process.stdin.write('\n')
        process.stdin.flush()
        pid = int(wait_for(process, 'process').split()[1])
        wait_for(process, 'saving model')
        wait_for(process, 'saving model')  # the first of the two is whole
        deadline = time.time() + 10
        while not unfinished(out) and time.time() < deadline:
            time.sleep(0.0005)
        time.sleep(rng.uniform(0, 0.03))  # somewhere in a save, or just behind it
        os.kill(pid, signal.SIGKILL)
        assert wait_for(process, 'end') == f'end {signal.SIGKILL}\n'
        in_a_save += bool(unfinished(out))
        values = restored(out)
        step = int(values['global_step'])
        assert checkpoints.step_of(checkpoints.latest(out)) == step
        assert all(np.isfinite(value).all() for value in values.values())
        steps.append(step)
    assert steps == sorted(set(steps))  # every run went on from the one before
    assert in_a_save > 0
    assert process.communicate(timeout=60)[1] == ''
    checkpoints.remove_debris(out)
    assert unfinished(out) == []


def unfinished(out):
    """What shows that a process was killed while it saved: parts not yet put together."""
    return glob.glob(os.path.join(out, 'model-*.tempstate*'))


def test_as_many_checkpoints_are_kept_as_asked(pairs, tmp_path, narrow):
    out = str(tmp_path)
    training.train(pairs, out, narrow._replace(max_steps=4, save_freq=1, keep=2))
    training.train(pairs, out, narrow._replace(max_steps=5, save_freq=1, keep=2))
    indices = sorted(os.path.basename(p) for p in glob.glob(os.path.join(out, '*.index')))
    assert indices == ['model-4.index', 'model-5.index']


def test_saving_by_the_clock(pairs, tmp_path, narrow, monkeypatch, capsys):
    now = [0.0]

    def tick():  # a minute passes between two looks at the clock
        now[0] += 60
        return now[0]

    monkeypatch.setattr(training, 'time', types.SimpleNamespace(time=tick))
    training.train(
        pairs, str(tmp_path), narrow._replace(max_steps=4, progress_freq=0, save_secs=150)
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


def test_a_full_disk_fails_the_run_only_if_it_stays_full(pairs, small_disk):
    out = small_disk / 'out'
    flags = ('train', f'--data={pairs}', f'--out={out}', '--ngf=16', '--ndf=4', '--save_freq=2')
    training.train(pairs, str(out), Config(ngf=16, ndf=4, max_steps=2))
    ballast = small_disk / 'ballast'
    free = os.statvfs(str(small_disk))
    ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - 20000000))
    result = run_command(*flags, '--max_steps=6')
    line = error_line(result, 1)
    assert f'can not save {out}/model-6' in line and 'No space left on device' in line
    assert result.stdout.count('what was saved before is kept') == 2  # it went on meanwhile
    assert restored(str(out))['global_step'] == 2
    assert [p for p in os.listdir(str(out)) if p.startswith(('model-4', 'model-6'))] == []

    process = start_command(*flags, '--max_steps=24')
    wait_for(process, 'what was saved before is kept')
    ballast.unlink()  # room again: the next save works, and the run ends well
    printed, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, '')
    assert restored(str(out))['global_step'] == 24


@pytest.mark.parametrize('rate, words', [(1e20, 'is nan'), (1e38, 'nan')])
def test_numbers_that_are_none_stop_the_run_unsaved(pairs, trained, tmp_path, rate, words):
    out = str(tmp_path / 'out')
    shutil.copytree(trained, out)
    result = run_command(
        'train', f'--data={pairs}', f'--out={out}', f'--learning_rate={rate}', '--override',
        '--save_freq=1', *NARROW_FLAGS,
    )  # fmt: skip
    line = error_line(result, 1)
    assert words in line and f'{pairs}/' in line and '.jpg; nothing was saved after it' in line
    number = int(line.split('step ')[1].split(':')[0])
    values = restored(out)
    assert values['global_step'] == number - 1
    if number == 3:  # it never came to a save, and the options are still those of the checkpoint
        assert config.load(out) == config.load(trained)
    assert f'step {number} ' not in result.stdout.splitlines()[-1]


@pytest.mark.parametrize('field', list(training.CHECKED))
def test_every_number_is_checked_and_named(field):
    values = dict.fromkeys(training.CHECKED, 1.0)
    training.check_finite(7, values, [b'a.jpg'], 'out')
    for bad in (float('nan'), float('inf')):
        values[field] = bad
        with pytest.raises(TrainingError) as error:
            training.check_finite(7, values, [b'a.jpg', b'b.jpg'], 'out')
        message = str(error.value)
        assert message.startswith(f'step 7: {training.CHECKED[field]} is {bad}, on a.jpg, b.jpg;')


def test_one_bad_gradient_shows_in_the_sum(graph, narrow):
    from pix2pix_tf.model import build_model

    rng = np.random.RandomState(0)
    pictures = [rng.uniform(-1, 1, (1, 256, 256, 3)).astype(np.float32) for _ in range(2)]
    model = build_model(*map(tf.constant, pictures), narrow)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        sums = [model.discrim_gradient_sum, model.gen_gradient_sum]
        assert np.isfinite(session.run(sums)).all()
        scale = graph.get_tensor_by_name('discriminator/layer_2/batchnorm/scale:0')
        [variable] = [v for v in tf.global_variables() if v.op.name == scale.op.name]
        variable.load(np.full(8, np.inf), session)
        assert not np.isfinite(session.run(sums)).any()


def test_a_second_training_in_the_same_folder_is_refused(pairs, tmp_path):
    out = str(tmp_path)
    first = start_command('train', f'--data={pairs}', f'--out={out}', *NARROW_FLAGS)
    wait_for(first, 'step 1 ')
    second = run_command('train', f'--data={pairs}', f'--out={out}', *NARROW_FLAGS)
    assert f'process {first.pid} is training in {out}' in error_line(second, 1)
    first.kill()  # a lock that is left behind keeps nobody out
    first.communicate()
    training.train(pairs, out, Config(ngf=4, ndf=4, max_steps=1))
    assert restored(out)['global_step'] == 1


def test_the_lock_names_its_holder(tmp_path):
    with locks.locked(str(tmp_path)):
        assert (tmp_path / '.lock').read_text() == f'{os.getpid()}\n'
        with pytest.raises(Pix2PixError) as error, locks.locked(str(tmp_path)):
            pass
        assert f'process {os.getpid()} is training in {tmp_path}' in str(error.value)
    with locks.locked(str(tmp_path)):
        pass


def test_a_file_that_spoils_the_run_costs_no_step(pairs, tmp_path, narrow, monkeypatch, capsys):
    """What was learned before it is saved, and the error still names it."""
    folder = tmp_path / 'pairs'
    shutil.copytree(pairs, str(folder))
    original = training.check_finite

    def spoil(step, *rest):
        original(step, *rest)
        if step == 3:
            for path in folder.iterdir():
                path.write_bytes(b'')

    monkeypatch.setattr(training, 'check_finite', spoil)
    with pytest.raises(training.faults.DataError) as error:
        training.train(str(folder), str(tmp_path / 'out'), narrow)
    assert str(folder) in str(error.value)
    step = int(restored(str(tmp_path / 'out'))['global_step'])
    assert step >= 3
    assert 'stopped' not in capsys.readouterr().out


@pytest.mark.slow
def test_memory_stays_flat(pairs, tmp_path):
    """Resident size after 300 and after 3,000 steps of a narrow model."""
    process = start_command(
        'train', f'--data={pairs}', f'--out={tmp_path}', '--ngf=1', '--ndf=1', '--max_epochs=1000',
        '--progress_freq=20', '--save_freq=100000',
    )  # fmt: skip
    sizes = {}
    for step in range(20, 3081, 20):
        wait_for(process, 'progress')
        with open(f'/proc/{process.pid}/status') as status:
            [sizes[step]] = [int(line.split()[1]) for line in status if line.startswith('VmRSS')]
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0
    # Of five reports each, for the size depends on what the next step is at when it is read
    before, after = (
        np.median([sizes[step] for step in range(start, start + 81, 20)]) for start in (300, 3000)
    )
    assert abs(after / before - 1) < 0.05, (before, after)
