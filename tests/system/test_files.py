import os

import pytest
from support.helpers import contents

from pix2pix_tf.system import files
from pix2pix_tf.system.errors import Pix2PixError


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


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path):
    with pytest.raises(Pix2PixError) as error:
        files.write_whole(str(tmp_path / 'gone' / 'x'), b'1')
    assert str(error.value) == f'cannot write {tmp_path}/gone/x: No such file or directory'
    path = tmp_path / 'x'
    files.write_whole(str(path), b'old')
    (tmp_path / 'x.tmp').mkdir()  # in the way of the temporary file
    with pytest.raises(Pix2PixError) as error:
        files.write_whole(str(path), b'new')
    assert f'cannot write {path}' in str(error.value)
    assert path.read_bytes() == b'old'


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
