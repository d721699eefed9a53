"""Printed lines: in any encoding, and when nobody reads them any more."""

import fcntl
import io
import os
import pty
import signal
import struct
import sys
import termios
from dataclasses import replace

import pytest
from support.forking import DEADLINE, killed_after
from support.helpers import (
    NARROW,
    NARROW_FLAGS,
    command_line,
    error_line,
    fork_command,
    read_checkpoint,
    run_process,
    start_process,
    wait_for,
)

from pix2pix_tf import checkpoints, training
from pix2pix_tf.cli import main
from pix2pix_tf.system import console


@pytest.mark.parametrize(
    'encoding, line, printed',
    [
        ('ascii', 'Café \u2192 caf\udce9', b'Caf? ? caf?\n'),
        ('utf-8', 'Café \u2192 caf\udce9', 'Café \u2192 caf?\n'.encode()),
        ('latin-1', 'Café \u2192', b'Caf\xe9 ?\n'),
    ],
)
def test_characters_that_an_encoding_lacks_become_question_marks(
    monkeypatch, encoding, line, printed
):
    stream = io.BytesIO()
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(stream, encoding=encoding))
    console.print_line(line)
    assert stream.getvalue() == printed


def assert_saved(out):
    """The step that a run has saved before it ended."""
    step = int(read_checkpoint(out)['global_step'])
    assert checkpoints.step_of(checkpoints.latest(out)) == step >= 1
    return step


@pytest.mark.slow
def test_a_training_whose_output_nobody_reads_saves_and_ends_in_one_line(pairs, tmp_path, capsys):
    out = str(tmp_path)
    process = fork_command('train', f'--data={pairs}', f'--out={out}', *NARROW_FLAGS)
    wait_for(process, 'step 1 ')
    process.stdout.close()  # as `| head` does
    with killed_after(process, DEADLINE):
        assert process.wait() == 1
    step = assert_saved(out)
    assert process.stderr.read() == (
        f'pix2pix-train: standard output was closed: stopped at step {step}, saved in {out}\n'
    )
    training.train(pairs, out, replace(NARROW, max_steps=step + 1))
    assert f'resuming from {out}/model-{step}' in capsys.readouterr().out


@pytest.mark.slow
def test_a_training_whose_terminal_is_closed_saves(pairs, tmp_path):
    """Its signal is SIGHUP, and from then on every write to the terminal fails."""
    master, terminal = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('4H', 24, 200, 0, 0))
    flags = [f'--data={pairs}', f'--out={tmp_path}', *NARROW_FLAGS]
    process = fork_command('train', *flags, terminal=os.ttyname(terminal))
    os.close(terminal)
    shown = b''
    while b'left, discrim' not in shown:  # the live line
        shown += os.read(master, 1000)
    os.close(master)
    process.communicate()
    assert_saved(str(tmp_path))


def test_a_hangup_saves_and_ends_well(pairs, tmp_path):
    process = fork_command('train', f'--data={pairs}', f'--out={tmp_path}', *NARROW_FLAGS)
    wait_for(process, 'step 2 ')
    process.send_signal(signal.SIGHUP)
    printed, errors = process.communicate()
    assert (process.returncode, errors) == (0, '')
    assert 'SIGHUP: finishing the step and saving' in printed
    step = assert_saved(str(tmp_path))
    assert printed.splitlines()[-1].startswith(f'stopped at step {step} of 1000, saved in')


PRINT = """
import os, sys
from pix2pix_tf.system import console

console.print_line('lost')
os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), 1)
console.print_line('written')
sys.exit(3 if console.output_closed.is_set() else 0)
"""


def test_a_full_disk_costs_only_the_lines_that_it_does_not_take(tmp_path):
    log = tmp_path / 'log'
    with open('/dev/full', 'w') as full:
        process = start_process(sys.executable, '-c', PRINT, str(log), stdout=full)
        errors = process.stderr.read()
    assert (process.wait(timeout=60), errors) == (0, '')
    assert log.read_text() == 'written\n'


def test_a_training_whose_log_is_on_a_full_disk_goes_on(pairs, tmp_path):
    flags = [f'--data={pairs}', f'--out={tmp_path}', *NARROW_FLAGS, '--max_steps=3']
    process = fork_command('train', *flags, terminal='/dev/full')
    process.communicate()
    assert process.returncode == 0
    assert assert_saved(str(tmp_path)) == 3


@pytest.mark.parametrize('command', main.COMMANDS)
def test_help_that_nobody_reads_leaves_no_traceback(command):
    reader, writer = os.pipe()
    os.close(reader)
    process = start_process(*command_line(command, '--help'), stdout=writer)
    os.close(writer)
    errors = process.stderr.read()
    assert (process.wait(timeout=60), errors) == (0, '')


def test_a_command_can_be_started_without_standard_output(tmp_path):
    flags = [f'--root={tmp_path}', '--train_pairs=1', '--val_pairs=1']
    shell = ['sh', '-c', 'exec "$@" >&-', 'sh']
    result = run_process(*shell, *command_line('demo', *flags))
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')
    assert sorted(os.listdir(str(tmp_path))) == ['train', 'val']
    line = error_line(run_process(*shell, *command_line('demo', '--seed=-1')), 2)
    assert line.startswith('pix2pix-demo: --seed is -1')
