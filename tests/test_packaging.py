"""The first things that a new user meets: the package, the Makefile, the search for a Python."""

import email
import fcntl
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv

import pytest
from support.helpers import ROOT

from pix2pix_tf import options_file
from pix2pix_tf.cli import main
from pix2pix_tf.config import Config


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
    for pattern in ('*.py', '*/*.py', '*/*/*.html', 'serve/page/*', 'py.typed', 'models/*'):
        files = {path.relative_to(source) for path in source.glob(pattern)}
        assert files, pattern
        assert {path.relative_to(package) for path in package.glob(pattern)} == files


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
    assert f'![Label map]({address}/raw/main/docs/images/facades-1-input.jpg)' in text
    assert f']({address}/blob/main/docs/datasets.md)' in text
    assert not re.findall(r'\]\((?!https:)|src="(?!https:)', text)
    found = re.findall(r"(?<!draw\) )versions='(.*)'", (source / 'bin' / 'find-python').read_text())
    classified = re.findall(r'Python :: (3\.\d+)\n', text)
    assert sorted(classified) == sorted(' '.join(found).split())


def test_make_alone_prints_six_lines_to_start_with():
    result = run('make', '--no-print-directory')
    lines = result.stdout.splitlines()
    assert (result.returncode, result.stderr, len(lines)) == (0, '', 6)
    assert lines[0].startswith('make draw ') and lines[-1].startswith('make help ')


def test_make_help_prints_every_target():
    result = run('make', '--no-print-directory', 'help')
    assert result.returncode == 0
    with open(os.path.join(ROOT, 'Makefile')) as file:
        [phony] = re.findall(r'(?m)^\.PHONY:((?:.*\\\n)*.*)', file.read())
    for target in phony.replace('\\', ' ').split():
        assert target in ('start', 'help') or f'make {target}' in result.stdout


def find_python(*arguments, path):
    """Runs bin/find-python with `path` alone as PATH, home and pyenv's folder."""
    environment = {'PATH': str(path), 'HOME': str(path), 'PYENV_ROOT': str(path)}
    shell = shutil.which('sh')
    return run(shell, os.path.join(ROOT, 'bin', 'find-python'), *arguments, env=environment)


@pytest.mark.parametrize('runtime', ['tf1', 'tf2', 'lint', 'draw'])
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
    for name in (
        'setup.py',
        *(f'requirements/{part}' for part in ('lint.txt', 'tf2.txt', 'tf2.in')),
    ):
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


def start_install(clone, python='', stdout=subprocess.PIPE, **environment):
    path = f'{clone.parent}:{os.environ["PATH"]}'
    return subprocess.Popen(
        ['sh', 'bin/install', 'tf2', python],
        cwd=str(clone),
        stdout=stdout,
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


@pytest.mark.parametrize('given', ['environment', 'configuration'])
def test_what_people_set_for_pip_does_not_install_elsewhere(clone, given):
    """pip refuses `user` in an environment; a mirror, as another setting, stays."""
    elsewhere = {'PIP_TARGET': '/x', 'PIP_PREFIX': '/x', 'PIP_ROOT': '/x'}
    environment = dict(elsewhere, PIP_USER='1', PIP_INDEX_URL='https://mirror')
    if given == 'configuration':
        settings = clone / 'pip.conf'
        settings.write_text('[install]\nuser = true\n[global]\nindex-url = https://mirror\n')
        environment = {'PIP_CONFIG_FILE': str(settings)}
    # pip itself says what it takes from both
    real = f'"-m pip") {sys.executable} -m pip config list >>settings;'
    (clone.parent / 'python3.13').write_text(PYTHON.replace('"-m pip")', real))
    result = install(clone, **environment)
    assert (result.returncode, result.stderr) == (0, '')
    lines = (clone / 'settings').read_text().splitlines()
    effective = dict(line.split('=', 1) for line in lines)  # pip lists the environment last
    assert effective.pop(':env:.user') == "'0'"
    mirror = {'environment': ':env:.index-url', 'configuration': 'global.index-url'}[given]
    assert effective[mirror] == "'https://mirror'"
    assert not {':env:.target', ':env:.prefix', ':env:.root'} & set(effective)


def test_progress_is_shown_on_a_terminal_alone_and_the_size_before(clone):
    (clone / 'requirements/tf2.in').write_text('# Size: 3 GB to download\n')
    assert install(clone).stdout.splitlines()[0].endswith('python3.13, 3 GB to download')
    assert [' -q ' in line for line in (clone / 'log').read_text().splitlines()] == [True] * 3
    shutil.rmtree(str(clone / '.venv'))
    (clone / 'log').write_text('')
    own, terminal = pty.openpty()
    try:
        assert start_install(clone, stdout=terminal).wait() == 0
    finally:
        os.close(own)
        os.close(terminal)
    assert [' -q ' in line for line in (clone / 'log').read_text().splitlines()] == [
        True,
        False,
        False,
    ]


def test_settings_of_pip_for_another_place_do_not_hold(clone):
    python = clone.parent / 'python3.13'
    mine = dict.fromkeys(('PIP_TARGET', 'PIP_PREFIX', 'PIP_ROOT', 'PIP_PYTHON'), '/x')
    kept = {'PIP_INDEX_URL': 'http://x', 'PIP_NO_INDEX': '1'}
    python.write_text(PYTHON.replace('shift;', 'env | grep "^PIP_" >env; shift;'))
    result = install(clone, PIP_USER='1', PIP_DRY_RUN='1', **mine, **kept)
    assert result.returncode == 0, result.stderr
    seen = dict(line.split('=', 1) for line in (clone / 'env').read_text().splitlines())
    assert seen == {'PIP_USER': '0', 'PIP_DRY_RUN': '0', 'PIP_REQUIRE_HASHES': '0', **kept}
    assert all(' --target= ' in line for line in (clone / 'log').read_text().splitlines())


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


CLONED = """#!/bin/sh
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip") ;;
    *version_info*) case $2 in *"${0##*/python}"*) ;; *) exit 1 ;; esac ;;
    "-c "*) ;;
    *) printf '<%s> ' "$0" "$@"; echo ;;
esac
"""


@pytest.fixture
def make(clone):
    """A function that runs make in a clone with nothing installed; its Pythons only print."""
    shutil.copy(os.path.join(ROOT, 'Makefile'), str(clone))
    for name in ('tf1.txt', 'tf1.in'):
        (clone / 'requirements' / name).write_text('')
    for name, text in (('python3.13', CLONED), ('python3.7', CLONED)):
        (clone.parent / name).write_text(text)
        (clone.parent / name).chmod(0o755)

    def make(*arguments):
        environment = {'PATH': f'{clone.parent}:{os.environ["PATH"]}', 'HOME': str(clone)}
        command = ['make', '--no-print-directory', '-C', str(clone), *arguments]
        return run(*command, env=environment)

    return make


def environments(clone):
    """The environments in a clone."""
    return sorted(path.parent.name for path in clone.glob('.venv/*/.installed'))


def runtime_of(result):
    """The environment whose Python ran the last command of make."""
    assert result.returncode == 0, result.stderr
    return re.findall(r'<\.venv/(tf\d)/bin/python>', result.stdout)[-1]


def test_the_environment_that_exists_is_used(clone, make):
    (clone / 'x.png').write_text('')
    (clone / 'out/facades').mkdir(parents=True)
    demo = make('demo', 'RUNTIME=tf2')
    assert runtime_of(demo) == 'tf2'
    [suggested] = re.findall(r'run (make serve .*)', demo.stdout)
    assert runtime_of(make(*suggested.split()[1:])) == 'tf2'
    assert runtime_of(make('predict', 'IN=x.png')) == 'tf2' and environments(clone) == ['tf2']
    # Another is installed only if it is asked for, by its name or by a Python that only it takes
    assert runtime_of(make('predict', 'IN=x.png', 'RUNTIME=tf1')) == 'tf1'
    assert environments(clone) == ['tf1', 'tf2']
    shutil.rmtree(str(clone / '.venv/tf2'))
    assert runtime_of(make('predict', 'IN=x.png')) == 'tf1'
    assert make('setup', 'PYTHON=python3.13').returncode == 0
    assert environments(clone) == ['tf1', 'tf2']


def test_if_both_exist_a_model_is_used_by_the_one_that_wrote_it(clone, make):
    for name in ('tf1', 'tf2'):
        (clone / f'.venv/{name}/bin').mkdir(parents=True)
        shutil.copy(str(clone.parent / 'python3.7'), str(clone / f'.venv/{name}/bin/python'))
        (clone / f'.venv/{name}/.installed').write_text('')
    folder = clone / "kid's $(x) out"
    folder.mkdir()
    for version, runtime in (('1.15.5', 'tf1'), ('2.21.0', 'tf2'), (None, 'tf1')):
        options_file.save(Config(), str(folder), tensorflow=version)
        result = make('serve', f'MODEL={folder}')
        assert runtime_of(result) == runtime
        assert result.stdout.startswith(f'RUNTIME={runtime}') and result.stdout.count('\n') == 2
        assert runtime_of(make('train', 'DATA=./mine', f'OUT={folder}')) == runtime
        # So are its checkpoints and converted versions
        assert runtime_of(make('page', f'MODEL={folder}/model-5')) == runtime
        # A folder for the results is no model
        assert runtime_of(make('serve', f'TO={folder}')) == 'tf1'
        assert runtime_of(make('serve', f'MODEL={folder}', 'RUNTIME=tf2')) == 'tf2'


def test_the_first_environment_is_chosen_with_its_reasons(clone, make):
    first, *rest = make('setup').stdout.splitlines()
    assert first.startswith('RUNTIME=tf1: TensorFlow 1.15, that of the post. RUNTIME=tf2 would')
    assert rest[0].startswith('installing tf1 into .venv/tf1 ') and environments(clone) == ['tf1']
    assert make('setup').stdout == ''
    shutil.rmtree(str(clone / '.venv'))
    (clone.parent / 'uname').write_text('#!/bin/sh\necho Linux aarch64\n')
    (clone.parent / 'uname').chmod(0o755)
    first, *rest = make('setup').stdout.splitlines()
    assert first.startswith('RUNTIME=tf2: TensorFlow 2.x. RUNTIME=tf1, TensorFlow 1.15, is')
    assert rest[0].startswith('installing tf2 into .venv/tf2 ') and environments(clone) == ['tf2']


def test_an_interrupted_installation_is_completed(clone, make):
    (clone / '.venv/tf2').mkdir(parents=True)
    assert make('setup').stdout.startswith('RUNTIME=tf2, whose installation was interrupted\n')
    assert environments(clone) == ['tf2']


@pytest.mark.parametrize(
    'typed, words',
    [
        ('predict', 'MODEL: there is no out/facades: run make train first, or choose another'),
        ('predict MODEL=bin', 'IN is empty: give an image, or a folder of images'),
        ('predict MODEL=bin IN=x', 'IN: there is no x'),
        ('serve MODEL=out/x', 'MODEL: there is no out/x: run make train first, or choose another'),
        ('plot OUT=out/x', 'OUT: there is no out/x: run make train first, or choose another'),
        ('train DATA=', 'DATA is empty: give a name, or a path with a /'),
        ('train DATA=./x', 'DATA: there is no ./x'),
        ('pairs DATA=./x PHOTOS=y', 'PHOTOS: there is no y'),
        ('pairs DATA=./x A=bin B=y', 'B: there is no y'),
        ('demo STEPS=5', 'make demo trains for 1000 steps on its own dataset'),
    ],
)
def test_variables_are_checked_before_anything_is_installed(clone, make, typed, words):
    result = make(*typed.split())
    assert (result.returncode, result.stdout) == (2, '')
    assert result.stderr.startswith(words) and not (clone / '.venv').exists()


def test_a_python_on_the_path_that_does_not_run_is_skipped(tmp_path):
    for version in ('3.7', '3.6'):  # like pyenv's shims for versions that are not selected
        shim = tmp_path / f'python{version}'
        shim.write_text('#!/bin/sh\necho "command not found" >&2; exit 127\n')
        shim.chmod(0o755)
    result = find_python('tf1', path=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (1, '', '')


@pytest.mark.parametrize(
    'tag, heading, words',
    [
        ('v1.2.0', '1.2.0', ''),
        ('v1.2.0', '1.2.0 - 2026-12-01', ''),
        (
            '1.2.0',
            '1.2.0',
            "the tag is '1.2.0', but __version__ in pix2pix_tf/__init__.py is 1.2.0",
        ),
        ('v1.2', '1.2.0', "the tag is 'v1.2', but"),
        ('v1.2.0', 'Unreleased', "CHANGELOG.md begins with 'Unreleased': its first heading must"),
        ('v1.2.0', '1.2.0rc1', "CHANGELOG.md begins with '1.2.0rc1'"),
    ],
)
def test_a_release_needs_a_tag_and_a_changelog_of_its_version(tmp_path, tag, heading, words):
    (tmp_path / 'pix2pix_tf').mkdir()
    (tmp_path / 'pix2pix_tf/__init__.py').write_text("x = 1\n__version__ = '1.2.0'\n")
    (tmp_path / 'CHANGELOG.md').write_text(f'# Changelog\n\n## {heading}\n\n## 1.2.0\n')
    program = os.path.join(ROOT, 'bin', 'check-release')
    result = subprocess.run(
        [program, tag], cwd=str(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert result.returncode == (1 if words else 0) and result.stdout == b''
    assert result.stderr.decode().startswith(words) and result.stderr.count(b'\n') == bool(words)
