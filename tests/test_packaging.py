"""What a new user meets first: the package, the Makefile, the search for a Python."""

import os
import pathlib
import re
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
    source, compiled = tmp_path / 'source', shutil.ignore_patterns('__pycache__')
    source.mkdir()
    for name in ('bin', 'pix2pix_tf'):
        shutil.copytree(os.path.join(ROOT, name), str(source / name), ignore=compiled)
    for name in ('setup.py', 'README.md', 'pyproject.toml'):
        shutil.copy(os.path.join(ROOT, name), str(source))
    pip = [sys.executable, '-m', 'pip', '--disable-pip-version-check', 'install', '--quiet']
    pip += ['--no-deps', '--no-build-isolation', '--ignore-installed']
    pip += ['--prefix', str(tmp_path / 'there')]
    result = run(*pip, str(source))
    assert result.returncode == 0, result.stderr
    installed = {path.name for path in (tmp_path / 'there' / 'bin').iterdir()}
    commands = ('train', 'export', 'evaluate', 'plot', 'data', 'demo', 'pairs')
    assert installed >= {'pix2pix-' + command for command in commands}
    [package] = (tmp_path / 'there').glob('lib*/python*/site-packages/pix2pix_tf')
    source = pathlib.Path(ROOT, 'pix2pix_tf')
    for pattern in ('*.py', '*/*.py', '*/*/*.html', 'serving/page/*', 'py.typed'):
        files = {path.relative_to(source) for path in source.glob(pattern)}
        assert files and {path.relative_to(package) for path in package.glob(pattern)} == files


def test_make_alone_prints_every_target():
    result = run('make', '--no-print-directory')
    assert result.returncode == 0
    with open(os.path.join(ROOT, 'Makefile')) as file:
        [phony] = re.findall(r'(?m)^\.PHONY:((?:.*\\\n)*.*)', file.read())
    for target in phony.replace('\\', ' ').split():
        assert target == 'help' or f'make {target}' in result.stdout


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
    (tmp_path / f'python{sys.version_info[0]}.{sys.version_info[1]}').symlink_to(sys.executable)
    assert find_python(fits, path=tmp_path).returncode == 0
    assert find_python(fits, 'python9', path=tmp_path).returncode == 1  # nor any other


def test_a_python_on_the_path_that_does_not_run_is_skipped(tmp_path):
    for version in ('3.7', '3.6'):  # as pyenv's shims are, for a version that is not chosen
        shim = tmp_path / f'python{version}'
        shim.write_text('#!/bin/sh\necho "command not found" >&2; exit 127\n')
        shim.chmod(0o755)
    result = find_python('tf1', path=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (1, '', '')
