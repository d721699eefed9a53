import errno
import os
import signal
import stat
import subprocess
import sys

import pytest
from support.helpers import contents, start_process, wait_for

from pix2pix_tf.system import files
from pix2pix_tf.system.errors import Pix2PixError, UsageError


def test_optional_writes_report_the_first_failure_until_one_succeeds(capsys):
    writes = files.OptionalWrites()
    for error in (Pix2PixError('cannot write x'), Pix2PixError('again'), None, Pix2PixError('y')):
        with writes:
            if error:
                raise error
    printed = capsys.readouterr().out
    assert printed == 'cannot write x; training continues without it\n' + (
        'y; training continues without it\n'
    )


def test_other_errors_in_optional_writes_are_not_swallowed():
    with pytest.raises(KeyError), files.OptionalWrites():
        raise KeyError('x')


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    with pytest.raises(Pix2PixError) as error:
        files.write_whole(str(tmp_path / 'gone' / 'x'), b'1')
    assert str(error.value) == f'cannot write {tmp_path}/gone/x: No such file or directory'
    path = tmp_path / 'x'
    files.write_whole(str(path), b'old')

    def fail(*_):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(Pix2PixError) as error:
        files.write_whole(str(path), b'new')
    assert f'cannot write {path}' in str(error.value)
    assert contents(tmp_path) == {'x': b'old'}


@pytest.mark.parametrize('durable', [False, True])
def test_a_durable_write_syncs_the_file_and_its_folder(tmp_path, monkeypatch, durable):
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, 'fsync', lambda fd: synced.append(os.fstat(fd).st_ino) or fsync(fd))
    path = tmp_path / 'x'
    files.write_whole(str(path), b'new', durable=durable)
    assert path.read_bytes() == b'new'
    inodes = [os.stat(str(path)).st_ino, os.stat(str(tmp_path)).st_ino]
    assert synced == (inodes if durable else [])


def test_preparing_a_folder_leaves_nothing_in_it(tmp_path):
    files.prepare_directory(str(tmp_path / 'a' / 'b'))
    assert contents(tmp_path / 'a' / 'b') == {}


def test_no_name_of_a_temporary_file_is_foretold_or_followed(tmp_path, monkeypatch):
    """Files and links of other programs, under the names that were used, and would be used."""
    mine = tmp_path / 'mine'
    mine.write_bytes(b'mine')
    (tmp_path / 'x.png.tmp').write_bytes(b'foreign')
    (tmp_path / 'y.png.tmp').symlink_to(mine)
    numbers = [bytes(4), bytes(3) + b'\1']
    (tmp_path / '.pix2pix-tf-00000000.tmp').symlink_to(mine)
    monkeypatch.setattr(os, 'urandom', lambda count: numbers.pop(0))
    files.write_whole(str(tmp_path / 'x.png'), b'new')
    assert numbers == []
    monkeypatch.undo()
    files.write_whole(str(tmp_path / 'y.png'), b'new')
    files.prepare_directory(str(tmp_path))
    assert contents(tmp_path) == {
        'mine': b'mine',
        'x.png': b'new',
        'x.png.tmp': b'foreign',
        'y.png': b'new',
        'y.png.tmp': b'mine',
        '.pix2pix-tf-00000000.tmp': b'mine',
    }


def test_a_link_is_replaced_and_what_it_points_to_is_kept(tmp_path):
    (tmp_path / 'mine').write_bytes(b'mine')
    (tmp_path / 'x').symlink_to(tmp_path / 'mine')
    files.write_whole(str(tmp_path / 'x'), b'new')
    assert contents(tmp_path) == {'mine': b'mine', 'x': b'new'}
    assert not (tmp_path / 'x').is_symlink()


@pytest.mark.parametrize('umask', [0o022, 0o077])
def test_the_umask_sets_the_permissions(tmp_path, umask):
    before = os.umask(umask)
    try:
        files.write_whole(str(tmp_path / 'x'), b'new')
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(str(tmp_path / 'x')).st_mode) == 0o666 & ~umask


HALF_WRITTEN = """
import os, sys
from pix2pix_tf.system import files

os.replace = lambda *_: print('ready', flush=True) or sys.stdin.read()
files.write_whole(sys.argv[1], b'half')
"""


def test_what_a_killed_process_was_writing_is_removed_an_hour_later(tmp_path):
    process = start_process(
        sys.executable, '-c', HALF_WRITTEN, str(tmp_path / 'x'), stdin=subprocess.PIPE
    )
    wait_for(process, 'ready')
    process.kill()
    assert process.wait() == -signal.SIGKILL
    [name] = os.listdir(str(tmp_path))
    files.prepare_directory(str(tmp_path))  # it may be of a process that runs
    assert os.listdir(str(tmp_path)) == [name]
    (tmp_path / 'mine.tmp').write_bytes(b'mine')
    (tmp_path / '.pix2pix-tf-0.tmp').symlink_to(tmp_path / 'mine.tmp')
    for file in (name, 'mine.tmp'):
        os.utime(str(tmp_path / file), (1e9, 1e9))
    files.prepare_directory(str(tmp_path))
    assert sorted(os.listdir(str(tmp_path))) == ['.pix2pix-tf-0.tmp', 'mine.tmp']


def test_a_pipe_where_our_file_would_be_is_not_ours(tmp_path):
    os.mkfifo(str(tmp_path / 'index.html'))
    with pytest.raises(UsageError, match='index.html was not written by pix2pix_tf'):
        files.check_ours(str(tmp_path / 'index.html'), 'mark')
