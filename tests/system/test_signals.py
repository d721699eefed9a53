"""SIGINT and SIGTERM end a run after the step in flight, saved."""

import os
import signal
import sys

import pytest
from support.helpers import (
    DEADLINE,
    NARROW_FLAGS,
    fork_command,
    read_checkpoint,
    start_command,
    start_process,
    wait_for,
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
import sys, time
from pix2pix_tf.system import signals

signals.ECHO = float(sys.argv[1])
limit = float(sys.argv[2]) if len(sys.argv) > 2 else None
with signals.stopping_on_signals(lambda line: print(line, flush=True), 'busy', limit):
    print('ready', flush=True)
    if len(sys.argv) > 3:  # it hangs as in a dead drive
        open(sys.argv[3])
    end = time.time() + 3600
    while time.time() < end:
        time.sleep(1)
"""


@pytest.mark.parametrize(
    'first, second, echo',
    [
        (signal.SIGINT, signal.SIGINT, 3600),
        (signal.SIGTERM, signal.SIGINT, 3600),
        (signal.SIGTERM, signal.SIGTERM, 0),
        (signal.SIGTERM, signal.SIGHUP, 0),
    ],
)
def test_a_second_signal_leaves_at_once(first, second, echo):
    """In a process that would otherwise finish a step of an hour."""
    process = start_process(sys.executable, '-c', BUSY, str(echo))
    wait_for(process, 'ready')
    process.send_signal(first)
    wait_for(process, 'interrupt again to leave at once')
    process.send_signal(second)
    assert process.wait(timeout=60) == 128 + second


def test_one_request_may_come_as_several_signals(monkeypatch):
    """As `timeout` and systemd send them: this process survives them."""
    monkeypatch.setattr(signals, 'ECHO', 3600)
    noticed = []
    with signals.stopping_on_signals(noticed.append) as stop:
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), number)
        assert stop.wait(60)
    assert len(noticed) == 1 and noticed[0].startswith('SIGTERM: finishing')


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in signals.SIGNALS]
    with signals.stopping_on_signals() as stop:
        assert not stop.is_set()
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in signals.SIGNALS] == before


def test_a_run_that_does_not_end_leaves_with_a_line(tmp_path):
    os.mkfifo(str(tmp_path / 'pipe'))
    process = start_process(sys.executable, '-c', BUSY, '3600', '0.2', str(tmp_path / 'pipe'))
    wait_for(process, 'ready')
    process.send_signal(signal.SIGTERM)
    printed, errors = process.communicate(timeout=DEADLINE)
    assert (process.returncode, errors) == (1, '')
    assert printed.splitlines()[-1] == ('busy takes longer than 0.2 s: leaving without it')


@pytest.mark.parametrize('limit, second, status', [(0.2, None, 1), (3600, signal.SIGTERM, 143)])
def test_an_output_that_takes_no_line_does_not_hold_the_end(limit, second, status):
    source = f"""
import threading
from pix2pix_tf.system import signals

signals.LIMIT, signals.ECHO = {limit}, 0
forever = threading.Event()
told = threading.Event()
with signals.stopping_on_signals(lambda line: told.set() or forever.wait()):
    print('ready', flush=True)
    told.wait()
    print('told', flush=True)
    forever.wait()
"""
    process = start_process(sys.executable, '-c', source)
    wait_for(process, 'ready')
    process.send_signal(signal.SIGTERM)
    if second:
        wait_for(process, 'told')
        process.send_signal(second)
    assert process.wait(timeout=DEADLINE) == status
