"""`python -m pix2pix_tf`, and what the installed commands share with it."""

import os
import sys

import pytest
from support.helpers import ROOT, error_line, run_process

from pix2pix_tf.cli import main

MODULE = (sys.executable, '-m', 'pix2pix_tf')


@pytest.fixture
def exit_status(monkeypatch):
    """A function: the exit status of `python -m pix2pix_tf` with these arguments."""

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['__main__.py', *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
        return ended.value.code

    return run


@pytest.mark.parametrize('arguments', [[], ['--help'], ['-h']])
def test_the_module_lists_the_commands(exit_status, capsys, arguments):
    assert exit_status(*arguments) == 0
    printed, errors = capsys.readouterr()
    assert errors == '' and printed.startswith('usage: python -m pix2pix_tf COMMAND')
    listed = [line.split(maxsplit=1) for line in printed.splitlines() if line.startswith('  ')]
    assert [name for name, _ in listed] == list(main.COMMANDS)
    assert all(summary.endswith('.') for _, summary in listed)


def test_the_module_runs_a_command(exit_status, capsys, tmp_path):
    assert exit_status('demo', f'--root={tmp_path}', '--train_pairs=1', '--val_pairs=2') == 0
    assert (
        capsys.readouterr().out == f'drew 1 pair for training and 2 for validation in {tmp_path}\n'
    )
    assert len(os.listdir(str(tmp_path / 'val'))) == 2


def test_help_says_what_was_typed(exit_status, capsys):
    assert exit_status('train', '--help') == 0
    assert capsys.readouterr().out.startswith('usage: python -m pix2pix_tf train [--flag=value')


@pytest.mark.parametrize(
    'command, hint',
    [
        ('trian', 'did you mean train?'),
        ('pair', 'did you mean pairs?'),
        ('--data=x', 'see python -m pix2pix_tf --help'),
    ],
)
def test_an_unknown_command_is_one_line(exit_status, capsys, command, hint):
    assert exit_status(command) == 2
    assert capsys.readouterr().err == f'pix2pix_tf: {command} is not a command: {hint}\n'


def test_errors_have_the_name_of_the_installed_command(exit_status, capsys):
    assert exit_status('train', '--ngf=0') == 2
    assert (
        capsys.readouterr().err
        == 'pix2pix-train: --ngf is 0: it must be at least 1 and at most 16384\n'
    )


def test_a_bug_keeps_its_traceback(exit_status, monkeypatch):
    def fail():
        raise ZeroDivisionError

    monkeypatch.setattr(main.module_of('plot'), 'main', fail)
    with pytest.raises(ZeroDivisionError):
        main.run('plot', [])


@pytest.mark.parametrize('start', [MODULE, (sys.executable, f'{ROOT}/pix2pix_tf/__main__.py')])
def test_a_process_of_the_module_reports_wrong_flags_before_it_loads_tensorflow(tmp_path, start):
    (tmp_path / 'tensorflow.py').write_text('import os; os._exit(7)')
    paths = {'PYTHONPATH': os.pathsep.join([str(tmp_path), ROOT])}
    result = run_process(*start, 'train', '--batch_sise=1', environment=paths)
    words = "pix2pix-train: Unknown command line flag 'batch_sise'"
    assert error_line(result, 2).startswith(words)
