"""A save reaches the disk before an older one goes, and options.json belongs to what was saved."""

import contextlib
import errno
import os
import shutil
import time
import types
from dataclasses import replace

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from support.helpers import NARROW, contents, read_checkpoint, read_events

from pix2pix_tf import checkpoints, options_file, saving, training
from pix2pix_tf.config import Config
from pix2pix_tf.monitoring import csv_log, tensorboard
from pix2pix_tf.system import files
from pix2pix_tf.system.errors import CheckpointError, Pix2PixError


@pytest.fixture
def session(graph):
    tf.get_variable('weights', [3], initializer=tf.ones_initializer())
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        yield session


@pytest.fixture
def calls(monkeypatch):
    """What is asked of the disk, in order: [(function of os, name of the file or folder)]."""
    recorded = []

    def record(function, path_of):
        original = getattr(os, function)

        def recording(*args, **options):
            recorded.append((function, os.path.basename(path_of(*args))))
            return original(*args, **options)

        monkeypatch.setattr(os, function, recording)

    record('fsync', lambda fd: os.readlink(f'/proc/self/fd/{fd}'))
    record('replace', lambda source, target: target)
    record('remove', lambda path: path)
    return recorded


def test_a_save_reaches_the_disk_before_an_older_one_is_removed(tmp_path, session, calls):
    saver = tf.train.Saver(max_to_keep=None)
    for step in (1, 2):
        path = saving.write(saver, session, str(tmp_path), step)
        saving.keep_newest(str(tmp_path), path, 1)
        if step == 1:
            del calls[:]
    parts = {'model-2.index', 'model-2.data-00000-of-00001'}
    synced, rest = calls[:2], calls[2:]
    assert {(function, name) for function, name in synced} == {('fsync', name) for name in parts}
    folder = ('fsync', tmp_path.name)
    assert rest[0] == folder and rest[1][0] == 'fsync' and rest[1][1].endswith('.tmp')
    assert rest[2:4] == [('replace', 'checkpoint'), folder]
    assert sorted(rest[4:]) == [
        ('remove', 'model-1.data-00000-of-00001'),
        ('remove', 'model-1.index'),
    ]
    assert set(os.listdir(str(tmp_path))) == parts | {'checkpoint'}


@contextlib.contextmanager
def full_disk(fits):
    """Only so many files can be written; the next one finds no space."""
    create = files._create_temporary
    left = [create] * fits

    def create_or_fail(directory):
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return left.pop()(directory)

    files._create_temporary = create_or_fail
    try:
        yield
    finally:
        files._create_temporary = create


def test_nothing_is_removed_when_the_state_cannot_be_written(tmp_path, session):
    saver = tf.train.Saver(max_to_keep=None)
    path = saving.write(saver, session, str(tmp_path), 1)
    saving.keep_newest(str(tmp_path), path, 1)
    path = saving.write(saver, session, str(tmp_path), 2)
    with full_disk(0), pytest.raises(Pix2PixError, match='cannot write .*/checkpoint'):
        saving.keep_newest(str(tmp_path), path, 1)
    assert checkpoints.latest(str(tmp_path)) == str(tmp_path / 'model-1')
    assert [name for name in os.listdir(str(tmp_path)) if name.startswith('model-2')] == []


@pytest.mark.parametrize('fits', [0, 1])
def test_options_and_state_change_together_or_not_at_all(tmp_path, session, fits):
    """The files of a checkpoint fit on the disk, one of those that belong to it does not."""
    folder = str(tmp_path)
    saver = tf.train.Saver(max_to_keep=None)
    saving.Saves(saver, session, folder, Config(learning_rate=0.1)).save(1)
    before = contents(folder)
    saves = saving.Saves(saver, session, folder, Config(learning_rate=0.2))
    with full_disk(fits):
        saves.save(2)
    name = ['options.json', 'checkpoint'][fits]
    assert str(saves.error) == f'cannot write {folder}/{name}: No space left on device'
    assert contents(folder) == before
    saves.save(2)
    assert saves.error is None
    assert checkpoints.latest(folder) == str(tmp_path / 'model-2')
    assert options_file.load(folder).learning_rate == 0.2


def test_options_belong_to_the_checkpoint_beside_them(pairs, trained, tmp_path):
    out = str(tmp_path / 'out')
    shutil.copytree(trained, out)
    other = replace(NARROW, learning_rate=0.001, max_steps=3)
    in_the_way = os.path.join(out, 'model-3.index', 'in the way')
    os.makedirs(in_the_way)
    with pytest.raises(CheckpointError) as error:
        training.train(pairs, out, other, override=True)
    assert f'cannot save {out}/model-3' in str(error.value)
    assert read_checkpoint(out)['global_step'] == 2
    assert options_file.load(out) == options_file.load(trained)
    shutil.rmtree(os.path.dirname(in_the_way))
    training.train(pairs, out, other, override=True)
    assert read_checkpoint(out)['global_step'] == 3
    assert options_file.load(out).learning_rate == 0.001


class Clocks:
    """The two clocks of a machine; that of the wall can be set."""

    def __init__(self):
        self.seconds, self.wall = 0.0, 1e9

    def monotonic(self):
        return self.seconds

    def time(self):
        return self.wall + self.seconds


def test_saves_by_the_clock_go_on_when_it_is_set_back(tmp_path, session, monkeypatch):
    clocks = Clocks()
    namespace = types.SimpleNamespace(monotonic=clocks.monotonic, time=clocks.time)
    monkeypatch.setattr(saving, 'time', namespace)
    saver = tf.train.Saver(max_to_keep=None)
    saves = saving.Saves(saver, session, str(tmp_path), Config(save_secs=60))
    due = []
    for step, wall in ((1, 1e9), (2, 1e9 - 3600), (3, 1e9 + 3600), (4, 1e9)):
        clocks.wall = wall
        clocks.seconds += 59
        due.append(saves.is_due(step, range(100)))
        clocks.seconds += 1
        due.append(saves.is_due(step, range(100)))
        saves.save(step)
    assert due == [False, True] * 4
    assert saves.error is None and saves.saved_step == 4


def test_records_stay_in_order_when_the_clock_is_set_back(tmp_path, monkeypatch):
    """The seconds of losses.csv go on, and TensorBoard shows the later run, not the earlier."""
    out, now = str(tmp_path), time.time()
    for first_step, clock in ((0, now), (2, now - 3600)):
        monkeypatch.setattr(time, 'time', lambda clock=clock: clock)
        writer = tensorboard.EventWriter(out)
        log = csv_log.LossLog(out, writer, first_step)
        log.begin()
        for step in (first_step + 1, first_step + 2):
            log.add(step, {'losses/gen_loss': 10.0 * step})
        writer.close()
    rows = csv_log.load(out)
    assert [row['step'] for row in rows] == [1, 2, 3, 4]
    assert np.all(np.diff([row['seconds'] for row in rows]) >= 0)
    shown = read_events(out).Scalars('losses/gen_loss')
    assert [(event.step, event.value) for event in shown] == [(n, 10.0 * n) for n in (1, 2, 3, 4)]
