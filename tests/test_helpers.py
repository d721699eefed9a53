"""How the tests run commands: a child of the fork server behaves like a new process."""

import signal
import socket
import subprocess

import pytest
from support.helpers import fork_command, run_command, run_real_command, wait_for


@pytest.fixture
def silent_url():
    """The URL of a server that accepts connections and never answers."""
    with socket.socket() as listening:
        listening.bind(('127.0.0.1', 0))
        listening.listen(5)
        yield f'http://127.0.0.1:{listening.getsockname()[1]}/facades.tar.gz'


@pytest.mark.parametrize('flags', [['--nonsense'], ['--url=file:///gone'], ['--name=..']])
def test_a_forked_command_ends_like_a_real_one(tmp_path, flags):
    flags = ['data', f'--root={tmp_path}', *flags]
    forked, real = run_command(*flags), run_real_command(*flags)
    assert forked.returncode == real.returncode > 0
    assert (forked.stdout, forked.stderr) == (real.stdout, real.stderr)


def test_a_forked_command_gets_its_folder_and_environment(tmp_path):
    line = run_command('data', '--root=data', '--url=file:///gone', cwd=str(tmp_path)).stderr
    assert 'pix2pix-data: ' in line and (tmp_path / 'data').is_dir()
    proxy = {'http_proxy': 'http://127.0.0.1:9', 'no_proxy': ''}
    result = run_command('data', f'--root={tmp_path}', '--url=http://x.test/y', environment=proxy)
    assert 'refused' in result.stderr


def test_a_command_that_takes_too_long_is_killed(tmp_path, silent_url):
    process = fork_command('data', f'--root={tmp_path}', f'--url={silent_url}')
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=1)
    assert process.returncode == -signal.SIGKILL
    assert run_command('data', '--nonsense').returncode == 2  # the server still works


def test_a_line_that_is_never_printed_fails_the_test(tmp_path, silent_url):
    process = fork_command('data', f'--root={tmp_path}', f'--url={silent_url}')
    with pytest.raises(AssertionError, match="'ready' was not printed within 1 seconds"):
        wait_for(process, 'ready', timeout=1)
    ended = fork_command('data', '--nonsense')
    with pytest.raises(AssertionError, match='(?s)before it ended.*pix2pix-data: Unknown'):
        wait_for(ended, 'ready')
