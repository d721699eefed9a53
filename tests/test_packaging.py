"""What a new user meets first: the package, the Makefile, the search for a Python."""

import os
import shutil
import subprocess
import sys

import pytest
from helpers import ROOT


def run(*command, **options):
    return subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        **options,
    )


def test_the_package_installs_with_its_commands(tmp_path):
    source = tmp_path / 'source'
    source.mkdir()
    for name in ('bin', 'pix2pix_tf'):
        shutil.copytree(os.path.join(ROOT, name), str(source / name))
    for name in ('setup.py', 'README.md', 'pyproject.toml'):
        shutil.copy(os.path.join(ROOT, name), str(source))
    pip = [sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps']
    pip += ['--no-build-isolation', '--ignore-installed', '--prefix', str(tmp_path / 'there')]
    result = run(*pip, str(source))
    assert result.returncode == 0, result.stderr
    installed = {path.name for path in (tmp_path / 'there' / 'bin').iterdir()}
    commands = ('train', 'export', 'evaluate', 'plot', 'data', 'demo')
    assert installed >= {'pix2pix-' + command for command in commands}
    [package] = (tmp_path / 'there').glob('lib*/python*/site-packages/pix2pix_tf')
    assert {p.name for p in package.glob('*.py')} == {
        name for name in os.listdir(os.path.join(ROOT, 'pix2pix_tf')) if name.endswith('.py')
    }


def test_make_alone_prints_every_target():
    result = run('make', '--no-print-directory')
    assert result.returncode == 0
    with open(os.path.join(ROOT, 'Makefile')) as file:
        [phony] = [line for line in file if line.startswith('.PHONY:')]
    for target in phony.split()[1:]:
        assert target == 'help' or f'make {target}' in result.stdout


@pytest.mark.parametrize(
    'variables, words',
    [
        (['DATA=maps'], ["--name='maps' --root='data/pix2pix'", "--out='out/maps'"]),
        (['DATA=/x/mine/'], ["--data='/x/mine/train'", "--out='out/mine'"]),
        (['DATA_ROOT=/d'], ["--data='/d/facades/train'", "--out='out/facades'"]),
        (['EPOCHS=3', 'OUT=/o'], ['--max_epochs=3', "--out='/o'"]),
        (['STEPS=9', 'ARGS=--ngf=8'], ['--max_steps=9', '--ngf=8']),
        (['DATA_URL=file:///a'], ["--url='file:///a'"]),
        (['RUNTIME=tf2'], ['.venv/tf2/bin/python bin/pix2pix-train']),
    ],
)
def test_make_train_hands_its_variables_on(variables, words):
    result = run('make', '--no-print-directory', '-n', 'train', *variables)
    for word in words:
        assert word in result.stdout


def test_a_path_is_never_downloaded():
    assert 'pix2pix-data' not in run('make', '-n', 'train', 'DATA=/x/mine').stdout


def find_python(*arguments, path):
    """bin/find-python where only `path` and a home without any Python are to be found."""
    environment = {'PATH': str(path), 'HOME': str(path), 'PYENV_ROOT': str(path)}
    shell = shutil.which('sh')
    return run(shell, os.path.join(ROOT, 'bin', 'find-python'), *arguments, env=environment)


@pytest.mark.parametrize('runtime', ['tf1', 'tf2', 'lint'])
def test_without_a_python_it_ends_with_status_1_and_says_nothing(tmp_path, runtime):
    result = find_python(runtime, path=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (1, '', '')


def test_the_python_that_is_named_is_taken_if_it_fits(tmp_path):
    fits = 'tf1' if sys.version_info < (3, 8) else 'tf2'
    other = {'tf1': 'tf2', 'tf2': 'tf1'}[fits]
    assert find_python(fits, sys.executable, path=tmp_path).stdout.strip() == sys.executable
    assert find_python(other, sys.executable, path=tmp_path).returncode == 1


def test_a_python_on_the_path_that_does_not_run_is_skipped(tmp_path):
    for version in ('3.7', '3.6'):  # as pyenv's shims are, for a version that is not chosen
        shim = tmp_path / f'python{version}'
        shim.write_text('#!/bin/sh\necho "command not found" >&2; exit 127\n')
        shim.chmod(0o755)
    result = find_python('tf1', path=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (1, '', '')
