"""A file system that has no locks, such as some network drives."""

import errno
import fcntl
import os

import pytest

from pix2pix_tf.pairs import download
from pix2pix_tf.system import locks
from pix2pix_tf.system.errors import Pix2PixError


@pytest.fixture(params=['ENOSYS', 'ENOLCK', 'EOPNOTSUPP'])
def words(request, monkeypatch):
    """What the system says to every lock."""
    number = getattr(errno, request.param)

    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, 'flock', flock)
    return os.strerror(number)


def test_without_locks_there_is_one_warning_and_the_work_goes_on(tmp_path, words, capsys):
    with locks.locked(str(tmp_path)):
        assert (tmp_path / '.lock').read_text() == f'{os.getpid()}\n'
        (tmp_path / 'written').write_text('')
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith(f'warning: cannot lock {tmp_path} ({words}): ')


def test_a_dataset_is_fetched_without_locks(tmp_path, words, capsys):
    (tmp_path / 'source').write_text('')
    with pytest.raises(Pix2PixError) as error:
        download.fetch('maps', str(tmp_path), f'file://{tmp_path}/source')
    assert 'is not a complete .tar.gz' in str(error.value)  # it came that far
    assert capsys.readouterr().out.count('warning: cannot lock') == 1


def test_what_goes_wrong_inside_is_not_taken_for_a_lock_that_failed(tmp_path, words):
    with pytest.raises(OSError, match='inside'), locks.locked(str(tmp_path)):
        raise OSError(errno.EIO, 'inside')
