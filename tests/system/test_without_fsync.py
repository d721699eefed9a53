"""File systems that cannot sync folders, or nothing at all: one warning, and all is kept."""

import errno
import os
import shutil
import stat
import subprocess
import sys

import pytest
import tensorflow.compat.v1 as tf
from support.helpers import contents, read_checkpoint, run_process, run_real_command

from pix2pix_tf import options_file, saving
from pix2pix_tf.config import Config
from pix2pix_tf.pairs import record
from pix2pix_tf.system import files
from pix2pix_tf.system.errors import Pix2PixError


@pytest.fixture(
    params=[
        ('EINVAL', True),  # shared folders of virtual machines, old SMB
        ('EBADF', True),
        ('EACCES', True),
        ('ENOTSUP', False),
        ('ENOSYS', False),  # not implemented at all
    ],
    ids=lambda param: param[0],
)
def words(request, monkeypatch):
    """What the system says to every fsync, or to every one of a folder."""
    name, folders_only = request.param
    number = getattr(errno, name)

    def fsync(descriptor):
        if not folders_only or stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, 'fsync', fsync)
    monkeypatch.setattr(files, '_warned', set())
    return os.strerror(number)


def test_saves_are_kept_with_one_warning(tmp_path, graph, words, capsys):
    tf.get_variable('weights', [3], initializer=tf.ones_initializer())
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        saver = tf.train.Saver(max_to_keep=None)
        saves = saving.Saves(saver, session, str(tmp_path), Config(ngf=4))
        for step in (1, 2):
            saves.save(step)
            assert saves.error is None and saves.saved_step == step
    assert set(contents(tmp_path)) == {
        'checkpoint',
        'model-2.data-00000-of-00001',
        'model-2.index',
        'options.json',
    }
    assert options_file.load(str(tmp_path)).ngf == 4
    lines = capsys.readouterr().out.splitlines()
    warnings = [line for line in lines if line.startswith('warning: ')]
    assert len(warnings) == 1
    assert warnings[0].startswith(f'warning: cannot force {tmp_path}')
    assert f' ({words}): a power failure may cost' in warnings[0]


def test_records_of_pairs_are_kept_with_one_warning(tmp_path, words, capsys):
    for _ in range(2):
        record.write_record(str(tmp_path), record.Record({'command': 'make'}, {}, {}, {}))
    assert set(contents(tmp_path)) == {'pairs.json'}
    assert capsys.readouterr().out.count('warning: cannot force') == 1


@pytest.mark.parametrize('name', ['EIO', 'ENOSPC', 'EDQUOT'])
def test_a_disk_that_fails_is_an_error(tmp_path, monkeypatch, name):
    number = getattr(errno, name)

    def fsync(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, 'fsync', fsync)
    with pytest.raises(Pix2PixError) as error:
        files.write_whole(str(tmp_path / 'x'), b'new', durable=True)
    assert str(error.value) == f'cannot write {tmp_path}/x: {os.strerror(number)}'
    assert contents(tmp_path) == {}


LIBRARY = """
#include <errno.h>
#include <sys/stat.h>

int fsync(int fd) {
    struct stat status;
    if (FOLDERS_ONLY && !(fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))) return 0;
    errno = NUMBER;
    return -1;
}

int fdatasync(int fd) { return fsync(fd); }
"""


@pytest.fixture(params=[('EINVAL', 1), ('ENOSYS', 0)], ids=lambda param: param[0])
def preloaded(request, tmp_path):
    """The environment in which fsync is as in such a file system, for every library."""
    if not shutil.which('gcc'):
        pytest.skip('no C compiler')
    name, folders_only = request.param
    source, library = tmp_path / 'fsync.c', tmp_path / 'fsync.so'
    source.write_text(LIBRARY)
    flags = [f'-DNUMBER={name}', f'-DFOLDERS_ONLY={folders_only}', '-shared', '-fPIC']
    if subprocess.call(['gcc', *flags, str(source), '-o', str(library)]):
        pytest.skip('the C compiler cannot make a library')
    return {'LD_PRELOAD': str(library)}


def test_a_training_ends_with_its_checkpoint(pairs, tmp_path, preloaded):
    out = tmp_path / 'out'
    flags = ['--ngf=4', '--ndf=4', '--display_freq=0', '--save_freq=1', '--max_steps=2']
    result = run_real_command(
        'train', f'--data={pairs}', f'--out={out}', *flags, environment=preloaded
    )
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout.count('warning: cannot force') == 1
    assert result.stdout.splitlines()[-1] == f'trained to step 2, saved in {out}/model-2'
    assert read_checkpoint(out)['global_step'] == 2
    assert options_file.load(str(out)).ngf == 4


WRITE = """
import sys
from pix2pix_tf.system import files

files.write_whole(sys.argv[1], b'new', durable=True)
"""


def test_a_file_is_written(tmp_path, preloaded):
    path = tmp_path / 'x'
    result = run_process(sys.executable, '-c', WRITE, str(path), environment=preloaded)
    assert (result.returncode, result.stderr) == (0, '')
    assert path.read_bytes() == b'new' and result.stdout.count('warning: cannot force') == 1
