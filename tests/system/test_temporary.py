"""Temporary folders of processes that were killed."""

import os
import sys

import pytest
from support.helpers import start_process, wait_for

from pix2pix_tf.system import temporary

HOLD = """
import sys
import time
from pix2pix_tf.system import temporary

with temporary.folder_in(sys.argv[1], '.made-') as path:
    open(path + '/file', 'w').close()
    print('holds', path, flush=True)
    time.sleep(3600)
"""


def test_what_a_killed_process_left_is_removed_but_not_what_another_holds(tmp_path):
    process = start_process(sys.executable, '-c', HOLD, str(tmp_path))
    held = wait_for(process, 'holds').split()[1]
    with temporary.folder_in(str(tmp_path), '.made-') as path:
        assert sorted(os.listdir(str(tmp_path))) == sorted(map(os.path.basename, (held, path)))
    assert os.listdir(held) == ['file']
    process.kill()
    process.wait()
    with temporary.folder_in(str(tmp_path), '.made-') as path:
        assert os.listdir(str(tmp_path)) == [os.path.basename(path)]
    assert os.listdir(str(tmp_path)) == []


def test_links_and_other_names_stay(tmp_path):
    mine, directory = tmp_path / 'mine', tmp_path / 'to'
    for folder in (mine, directory / 'other'):
        folder.mkdir(parents=True)
        (folder / 'file').write_text('')
    (directory / '.made-link').symlink_to(mine)
    (directory / '.made-file').write_text('')
    with temporary.folder_in(str(directory), '.made-'):
        pass
    assert sorted(os.listdir(str(directory))) == ['.made-file', '.made-link', 'other']
    assert (mine / 'file').exists()


def test_without_locks_nothing_is_removed(tmp_path, monkeypatch):
    (tmp_path / '.made-old').mkdir()

    def flock(*_):
        raise OSError('no locks')

    monkeypatch.setattr(temporary.fcntl, 'flock', flock)
    with temporary.folder_in(str(tmp_path), '.made-') as path:
        assert os.path.isdir(path)
    assert os.listdir(str(tmp_path)) == ['.made-old']
    with pytest.raises(OSError):
        temporary.folder_in(str(tmp_path / 'none'), '.made-').__enter__()
