"""SIGINT and SIGTERM end a run after the step in flight, saved."""

import os
import signal
import sys
import threading

import pytest
from support.forking import DEADLINE
from support.helpers import (
    NARROW_FLAGS,
    fork_command,
    read_checkpoint,
    start_command,
    start_process,
    wait_for,
    wait_until,
)

from pix2pix_tf import training
from pix2pix_tf.config import Config
from pix2pix_tf.system import signals


@pytest.mark.parametrize(
    'number, begin',
    [(signal.SIGINT, start_command), (signal.SIGTERM, fork_command)],
)
def test_a_signal_ends_the_run_saved_and_in_silence(pairs, tmp_path, number, begin, capsys):
    out = str(tmp_path)
    process = begin('train', f'--data={pairs}', f'--out={out}', *NARROW_FLAGS)
    wait_for(process, 'step 2 ')
    process.send_signal(number)
    printed, errors = process.communicate()
    assert (process.returncode, errors) == (0, '')
    lines = printed.splitlines()
    assert any(line.startswith(f'{signal.Signals(number).name}: finishing') for line in lines)
    step = int(read_checkpoint(out)['global_step'])
    assert lines[-1].startswith(f'stopped at step {step} of 1000, saved in {out}; the same command')
    training.train(pairs, out, Config(ngf=4, ndf=4, max_steps=step + 1))
    assert f'resuming from {out}/model-{step}' in capsys.readouterr().out
    assert read_checkpoint(out)['global_step'] == step + 1


def test_with_nohup_the_end_of_the_terminal_is_nothing():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.stopping_on_signals() as stop:
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.wait(60)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


BUSY = """
import sys
import time
from pix2pix_tf.system import signals

limit = float(sys.argv[1]) if sys.argv[1:] else None
with signals.stopping_on_signals(lambda line: print(line, flush=True), 'busy', limit):
    print('ready', flush=True)
    end = time.time() + 3600
    while time.time() < end:
        time.sleep(1)
"""


def test_a_second_sigint_leaves_at_once():
    """In a process that would otherwise finish a step of an hour."""
    process = start_process(sys.executable, '-c', BUSY)
    wait_for(process, 'ready')
    process.send_signal(signal.SIGINT)
    wait_for(process, 'interrupt again to leave at once')
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130


@pytest.mark.parametrize('same_seconds, exits', [(3600, [130]), (-1, [143, 130])])
def test_a_second_signal_leaves_unless_it_is_an_echo_of_the_first(monkeypatch, same_seconds, exits):
    """`timeout` and terminals send each signal twice."""
    left, seen = [], threading.Semaphore(0)
    monkeypatch.setattr(signals, '_SAME_SECONDS', same_seconds)
    monkeypatch.setattr(os, '_exit', lambda status: (left.append(status), seen.release()))
    with signals.stopping_on_signals(lambda line: seen.release()):
        os.kill(os.getpid(), signal.SIGTERM)
        assert seen.acquire(timeout=DEADLINE)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        for _ in exits:
            assert seen.acquire(timeout=DEADLINE)
    assert sorted(left) == sorted(exits)


def test_a_second_sigterm_leaves_a_process_that_is_busy():
    process = start_process(sys.executable, '-c', BUSY)
    wait_for(process, 'ready')

    def has_ended():
        if process.poll() is None:
            process.terminate()
        return process.returncode is not None

    wait_until(has_ended, 'the end')
    assert process.returncode == 128 + signal.SIGTERM


def test_an_end_takes_no_longer_than_its_limit():
    process = start_process(sys.executable, '-c', BUSY, '0.5')
    wait_for(process, 'ready')
    process.terminate()
    printed, errors = process.communicate()
    assert printed.splitlines()[-1] == 'busy takes longer than 0.5 s: leaving without it'
    assert (process.returncode, errors) == (1, '')


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in signals.SIGNALS]
    with signals.stopping_on_signals() as stop:
        assert not stop.is_set()
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in signals.SIGNALS] == before
