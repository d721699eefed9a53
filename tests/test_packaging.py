"""The first things that a new user meets: the package, the Makefile, the search for a Python."""

import email
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv

import pytest
from support.helpers import ROOT

from pix2pix_tf.cli import main


def run(*command, **options):
    return subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        **options,
    )


@pytest.fixture
def source(tmp_path):
    """A copy of the repository."""
    folder = tmp_path / 'source'
    folder.mkdir()
    for name in ('.ci', '.github', 'bench', 'bin', 'docs', 'pix2pix_tf', 'requirements', 'tests'):
        compiled = shutil.ignore_patterns('__pycache__')
        shutil.copytree(os.path.join(ROOT, name), str(folder / name), ignore=compiled)
    for path in pathlib.Path(ROOT).iterdir():
        if path.is_file() and path.name != '.git':
            shutil.copy(str(path), str(folder))
    return folder


def test_the_package_installs_with_its_commands(source, tmp_path):
    """Into an environment whose path has a blank, as a clone's may have."""
    there = tmp_path / 'over there'
    venv.create(str(there))
    # It has no packages, not even pip: those of the tests serve
    environment = dict(os.environ, PYTHONPATH=sysconfig.get_paths()['purelib'])
    pip = [str(there / 'bin' / 'python'), '-m', 'pip', '--disable-pip-version-check', 'install']
    pip += ['--quiet', '--no-deps', '--no-build-isolation', '--ignore-installed', str(source)]
    result = run(*pip, env=environment)
    assert result.returncode == 0, result.stderr
    installed = {path.name for path in (there / 'bin').glob('pix2pix*')}
    assert installed == {main.name_of(command) for command in main.COMMANDS}
    demo = [str(there / 'bin' / 'pix2pix-demo'), f'--root={tmp_path}/drawn']
    drawn = run(*demo, '--train_pairs=1', '--val_pairs=1', env=environment)
    assert (drawn.returncode, drawn.stderr) == (0, '')
    assert sorted(os.listdir(f'{tmp_path}/drawn')) == ['train', 'val']
    [package] = there.glob('lib/python*/site-packages/pix2pix_tf')
    source = pathlib.Path(ROOT, 'pix2pix_tf')
    for pattern in ('*.py', '*/*.py', '*/*/*.html', 'serve/page/*', 'py.typed'):
        files = {path.relative_to(source) for path in source.glob(pattern)}
        assert files and {path.relative_to(package) for path in package.glob(pattern)} == files


def test_the_source_distribution_is_the_repository_and_its_readme_leads_there(source, tmp_path):
    address = 'https://example.org/mine/pix2pix_tf'
    citation = source / 'CITATION.cff'
    kept = [line for line in citation.read_text().splitlines() if 'repository-code' not in line]
    citation.write_text('\n'.join([*kept, f'repository-code: "{address}"', '']))
    command = [sys.executable, 'setup.py', '-q', 'sdist', '-d', str(tmp_path / 'dist')]
    environment = {k: v for k, v in os.environ.items() if not k.startswith('GITHUB_')}
    result = subprocess.run(command, cwd=str(source), stderr=subprocess.PIPE, env=environment)
    assert result.returncode == 0, result.stderr
    [archive] = (tmp_path / 'dist').glob('pix2pix[_-]tf-*.tar.gz')
    with tarfile.open(str(archive)) as tar:
        names = {name.partition('/')[2] for name in tar.getnames()}
        [information] = [name for name in tar.getnames() if re.fullmatch('[^/]*/PKG-INFO', name)]
        text = tar.extractfile(information).read().decode()
    wanted = {str(path.relative_to(source)) for path in source.rglob('*') if path.is_file()}
    generated = {name for name in wanted if '.egg-info/' in name}
    assert wanted - generated - {'.gitignore'} <= names
    metadata = email.message_from_string(text)
    assert metadata['Home-page'] == address
    assert f'name: {metadata["Author"]}' in citation.read_text()
    assert f'![]({address}/raw/main/docs/images/facades-1-input.jpg)' in text
    assert f']({address}/blob/main/docs/datasets.md)' in text
    assert not re.findall(r'\]\((?!https:)', text)
    found = re.findall(r"versions='(.*)'", (source / 'bin' / 'find-python').read_text())
    classified = re.findall(r'Python :: (3\.\d+)\n', text)
    assert sorted(classified) == sorted(' '.join(found).split())


def test_make_alone_prints_every_target():
    result = run('make', '--no-print-directory')
    assert result.returncode == 0
    with open(os.path.join(ROOT, 'Makefile')) as file:
        [phony] = re.findall(r'(?m)^\.PHONY:((?:.*\\\n)*.*)', file.read())
    for target in phony.replace('\\', ' ').split():
        assert target == 'help' or f'make {target}' in result.stdout


def find_python(*arguments, path):
    """Runs bin/find-python with `path` alone as PATH, home and pyenv's folder."""
    environment = {'PATH': str(path), 'HOME': str(path), 'PYENV_ROOT': str(path)}
    shell = shutil.which('sh')
    return run(shell, os.path.join(ROOT, 'bin', 'find-python'), *arguments, env=environment)


@pytest.mark.parametrize('runtime', ['tf1', 'tf2', 'lint'])
def test_without_a_python_find_python_ends_with_status_1_and_prints_nothing(tmp_path, runtime):
    result = find_python(runtime, path=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (1, '', '')


def test_a_given_python_is_taken_if_it_fits(tmp_path):
    fits = 'tf1' if sys.version_info < (3, 8) else 'tf2'
    other = {'tf1': 'tf2', 'tf2': 'tf1'}[fits]
    assert find_python(fits, sys.executable, path=tmp_path).stdout.strip() == sys.executable
    assert find_python(other, sys.executable, path=tmp_path).returncode == 1
    (tmp_path / f'python{sys.version_info[0]}.{sys.version_info[1]}').symlink_to(sys.executable)
    assert find_python(fits, path=tmp_path).returncode == 0
    assert find_python(fits, 'python9', path=tmp_path).returncode == 1  # and no other is tried


def test_tensorflow_1_15_is_for_linux_on_x86_64(tmp_path):
    python, uname = tmp_path / 'python3.7', tmp_path / 'uname'
    python.write_text('#!/bin/sh\n')
    python.chmod(0o755)
    for system, status in (('Linux x86_64', 0), ('Linux aarch64', 1), ('Darwin arm64', 1)):
        uname.write_text(f'#!/bin/sh\necho {system}\n')
        uname.chmod(0o755)
        result = find_python('tf1', path=tmp_path)
        assert (result.returncode, result.stdout) == (status, '' if status else f'{python}\n')


def test_the_python_of_an_active_environment_is_not_taken(tmp_path):
    program = tmp_path / 'bin' / 'python9'
    program.parent.mkdir()
    program.symlink_to(sys.executable)
    fits = 'tf1' if sys.version_info < (3, 8) else 'tf2'
    environment = {'PATH': f'{program.parent}:{os.environ["PATH"]}', 'HOME': str(tmp_path)}
    command = [os.path.join(ROOT, 'bin', 'find-python'), fits, 'python9']
    assert run(*command, env=environment).stdout.strip() == str(program)
    assert run(*command, env=dict(environment, VIRTUAL_ENV=str(tmp_path))).returncode == 1


@pytest.fixture
def clone(tmp_path):
    """The files that bin/install needs, with a Python whose pip only logs its arguments."""
    folder = tmp_path / 'clone'
    (folder / 'requirements').mkdir(parents=True)
    shutil.copytree(os.path.join(ROOT, 'bin'), str(folder / 'bin'))
    for name in ('setup.py', 'requirements/lint.txt', 'requirements/tf2.txt'):
        (folder / name).write_text('')
    python = tmp_path / 'python3.13'
    python.write_text(PYTHON)
    python.chmod(0o755)
    return folder


PYTHON = """#!/bin/sh
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip") shift; echo "$@" >>log; exit "${PIP_STATUS:-0}" ;;
esac
"""


def start_install(clone, python='', **environment):
    path = f'{clone.parent}:{os.environ["PATH"]}'
    return subprocess.Popen(
        ['sh', 'bin/install', 'tf2', python],
        cwd=str(clone),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        env={'PATH': path, 'HOME': str(clone), **environment},
    )


def install(*arguments, **environment):
    process = start_install(*arguments, **environment)
    printed, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, printed, errors)


def installed(clone):
    """What was installed since the last call."""
    log = clone / 'log'
    lines = log.read_text().splitlines() if log.exists() else []
    log.write_text('')
    return [line.split()[-1] for line in lines if 'tf2.txt' in line or line.endswith('.')]


def test_an_environment_is_made_once_and_updated_in_place(clone):
    stamp, mine = clone / '.venv/tf2/.installed', clone / '.venv/tf2/mine'
    result = install(clone)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith('installing tf2 into .venv/tf2 with ')
    assert installed(clone) == ['requirements/tf2.txt', '.'] and stamp.exists()
    mine.write_text('')
    past = stamp.stat().st_mtime - 100
    for name in ('setup.py', 'requirements/tf2.txt'):
        os.utime(str(clone / name), (past, past))
    assert install(clone).stdout == '' and installed(clone) == []
    os.utime(str(stamp), (past - 1, past - 1))
    assert install(clone).stdout == 'updating .venv/tf2\n'
    assert installed(clone) == ['requirements/tf2.txt', '.'] and mine.exists()
    # A failed update is repeated; an unfinished environment is made anew
    os.utime(str(stamp), (past - 1, past - 1))
    assert install(clone, PIP_STATUS='1').returncode != 0
    assert installed(clone) == ['requirements/tf2.txt'] and mine.exists()
    assert install(clone).stdout == 'updating .venv/tf2\n'
    stamp.unlink()
    assert install(clone).stdout.startswith('installing') and not mine.exists()


def test_two_installations_run_one_after_the_other(clone):
    (clone / '.venv').mkdir()
    with open(str(clone / '.venv' / 'tf2.lock'), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (clone.parent / 'python3.13').write_text(PYTHON + LOCKS.format(sys.executable))
        process = start_install(clone)
        assert process.stdout.readline() == 'waiting for another make that is installing tf2\n'
        assert installed(clone) == []
    printed, _ = process.communicate()
    assert process.returncode == 0 and printed.startswith('installing tf2')
    assert installed(clone) == ['requirements/tf2.txt', '.']


LOCKS = 'case "$2" in *fcntl*) exec {} "$@" ;; esac\n'


def test_a_python_that_does_not_fit_is_one_line(clone):
    result = install(clone, 'python9')
    assert result.returncode == 1 and result.stderr.count('\n') == 1
    words = 'no Python for tf2 in PYTHON=python9: it needs Python 3.10 to 3.13'
    assert result.stderr.startswith(words)


def test_a_python_on_the_path_that_does_not_run_is_skipped(tmp_path):
    for version in ('3.7', '3.6'):  # like pyenv's shims for versions that are not selected
        shim = tmp_path / f'python{version}'
        shim.write_text('#!/bin/sh\necho "command not found" >&2; exit 127\n')
        shim.chmod(0o755)
    result = find_python('tf1', path=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (1, '', '')
