"""What a run leaves that is killed in a save, and what the next one does about it."""

import os
import shutil
from dataclasses import replace

import pytest
import tensorflow.compat.v1 as tf
from support.helpers import NARROW, contents, read_checkpoint, read_events

from pix2pix_tf import checkpoints, options_file, saving, training
from pix2pix_tf.config import Config
from pix2pix_tf.monitoring import csv_log
from pix2pix_tf.system import locks
from pix2pix_tf.system.errors import CheckpointError, Pix2PixError


class Killed(BaseException):
    """Nothing cleans up after it, as after SIGKILL."""


@pytest.fixture
def save(graph, tmp_path):
    """A function: saves a step in `tmp_path`, with a Saver and a session of its own."""
    tf.get_variable('weights', [3], initializer=tf.ones_initializer())
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())

        def save(step, keep=1):
            saver = tf.train.Saver(max_to_keep=None)
            saving.Saves(saver, session, str(tmp_path), Config(keep=keep)).save(step)

        yield save


def files_of(*steps):
    return {f'model-{n}.{end}' for n in steps for end in ('index', 'data-00000-of-00001')}


def start(folder):
    with training.output_folder(str(folder)):
        pass


def models(folder):
    return {name for name in os.listdir(str(folder)) if name.startswith('model')}


def test_a_kill_before_the_last_removal_leaves_nothing_for_ever(tmp_path, save, monkeypatch):
    save(5)

    def kill(_):
        raise Killed

    monkeypatch.setattr(saving, '_remove', kill)
    with pytest.raises(Killed):
        save(9)
    monkeypatch.undo()
    assert models(tmp_path) == files_of(5, 9)
    start(tmp_path)
    assert models(tmp_path) == files_of(9)
    assert checkpoints.latest(str(tmp_path)) == str(tmp_path / 'model-9')


def test_a_kill_before_the_state_file_is_said_and_superseded_later(
    tmp_path, save, monkeypatch, capsys
):
    save(5)
    rename = os.replace

    def kill(source, target):
        if os.path.basename(target) == 'checkpoint':
            raise Killed
        rename(source, target)

    monkeypatch.setattr(os, 'replace', kill)
    with pytest.raises(Killed):
        save(9)
    monkeypatch.undo()
    capsys.readouterr()
    start(tmp_path)
    assert models(tmp_path) == files_of(5, 9)
    assert capsys.readouterr().out == (
        f'{tmp_path}/model-9 is not used, because {tmp_path}/checkpoint names model-5: a save was '
        'cut off, or that file was changed; remove model-9.* if it is not needed\n'
    )
    assert checkpoints.latest(str(tmp_path)) == str(tmp_path / 'model-5')
    save(12)
    capsys.readouterr()
    start(tmp_path)
    assert models(tmp_path) == files_of(12)
    assert capsys.readouterr().out == ''


def test_what_is_named_or_has_another_name_stays(tmp_path, save, capsys):
    save(5)
    save(7, keep=2)
    mine = ['model-5.tar.gz', 'model-4.onnx', 'model-4.index.bak', 'model-4.notes.md']
    mine += ['mymodel-4.index', 'model-04.index', 'model-x.index', 'model.index']
    for name in mine:
        (tmp_path / name).write_text('mine')
    (tmp_path / 'model-3.index').mkdir()
    for name in files_of(6) | {'model-2.meta'}:
        (tmp_path / name).write_bytes(b'')
    before = contents(tmp_path)
    capsys.readouterr()
    start(tmp_path)
    removed = set(before) - set(contents(tmp_path))
    assert removed == files_of(6) | {'model-2.meta'}
    assert (tmp_path / 'model-3.index').is_dir()
    assert capsys.readouterr().out == ''


def test_without_what_is_named_nothing_is_removed(tmp_path, save):
    save(5)
    for name in files_of(5):
        shutil.copy(str(tmp_path / name), str(tmp_path / name.replace('5', '4', 1)))
    os.remove(str(tmp_path / 'model-5.index'))
    before = models(tmp_path)
    with pytest.raises(CheckpointError, match='model-5, which does not exist'):
        start(tmp_path)
    assert models(tmp_path) == before


def test_without_a_state_file_nothing_is_removed(tmp_path, save, capsys):
    save(5)
    os.remove(str(tmp_path / 'checkpoint'))
    capsys.readouterr()
    start(tmp_path)
    assert models(tmp_path) == files_of(5)
    line = f'{tmp_path}/model-5 is not used, because {tmp_path}/checkpoint does not exist: '
    assert capsys.readouterr().out.startswith(line)


def test_a_folder_removed_during_a_run_gets_all_that_belongs_to_a_save(
    pairs, tmp_path, monkeypatch, capsys
):
    """After the first save, which is the one that writes the options."""
    out = tmp_path / 'out'
    check_finite = training.check_finite

    def remove(step, *rest):
        check_finite(step, *rest)
        if step == 2:
            shutil.rmtree(str(out))
        if step == 4:
            with pytest.raises(Pix2PixError, match='is training in'), locks.locked(str(out)):
                pass

    monkeypatch.setattr(training, 'check_finite', remove)
    config = replace(NARROW, max_steps=4, save_freq=1)
    assert training.train(pairs, str(out), config) == (4, f'{out}/model-4')
    assert f'{out}/.lock was removed: {out} is locked again' in capsys.readouterr().out
    assert read_checkpoint(out)['global_step'] == 4
    assert options_file.load(str(out)) == config
    assert [row['step'] for row in csv_log.load(str(out))] == [4]
    assert [event.step for event in read_events(out).Scalars('losses/gen_loss')] == [4]
    assert options_file.load_data(str(out)).folder == os.path.realpath(pairs)


def test_a_folder_that_another_run_uses_by_now_ends_the_run(pairs, tmp_path, monkeypatch, capsys):
    out = tmp_path / 'out'
    other = []
    check_finite = training.check_finite

    def replace_folder(step, *rest):
        check_finite(step, *rest)
        if step == 2:
            out.rename(tmp_path / 'moved')
            out.mkdir()
            other.append(locks.Lock(str(out), '.lock', False, 'training'))
            (out / '.lock').write_text('1\n')

    monkeypatch.setattr(training, 'check_finite', replace_folder)
    with pytest.raises(Pix2PixError) as error:
        training.train(pairs, str(out), replace(NARROW, max_steps=4, save_freq=1))
    assert str(error.value).startswith(f'process 1 is training in {out}: ')
    assert models(out) == set()
    assert read_checkpoint(tmp_path / 'moved')['global_step'] == 1
    other[0].file.close()


def test_a_drive_that_is_gone_for_a_while_fails_that_save_alone(
    pairs, tmp_path, monkeypatch, capsys
):
    """The folder above is gone, and cannot be made; then all is as it was, with its lock."""
    drive = tmp_path / 'drive'
    out = drive / 'out'
    drive.mkdir()
    check_finite = training.check_finite

    def unplug(step, *rest):
        check_finite(step, *rest)
        if step == 2:
            drive.rename(tmp_path / 'unplugged')
            drive.write_text('no folder')
        if step == 3:
            drive.unlink()
            (tmp_path / 'unplugged').rename(drive)
        if step == 4:
            with pytest.raises(Pix2PixError, match='is training in'), locks.locked(str(out)):
                pass

    monkeypatch.setattr(training, 'check_finite', unplug)
    config = replace(NARROW, max_steps=4, save_freq=1)
    assert training.train(pairs, str(out), config).step == 4
    printed = capsys.readouterr().out
    assert printed.count('earlier checkpoints are kept, and the next save tries again') == 1
    assert 'was removed' not in printed
    assert read_checkpoint(out)['global_step'] == 4
