import os
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from pix2pix_tf import checkpoints, saving
from pix2pix_tf.system.errors import CheckpointError, Pix2PixError


@pytest.fixture
def variable(graph):
    return tf.get_variable('weights', [3], initializer=tf.zeros_initializer())


@pytest.fixture
def session(variable):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        yield session


def make_saver():
    return tf.train.Saver(max_to_keep=None)


def save(session, variable, directory, step, keep=1):
    variable.load(np.full(3, step), session)
    path = saving.write(make_saver(), session, directory, step)
    saving.keep_newest(directory, path, keep)
    return path


def names(directory):
    return sorted(os.listdir(directory))


def test_an_empty_folder_has_no_checkpoint(tmp_path):
    assert checkpoints.latest(str(tmp_path)) is None


def test_the_newest_is_found_and_the_older_one_goes(tmp_path, session, variable):
    out = str(tmp_path)
    for step in (5, 12):  # each with a Saver of its own, as in a run that was resumed
        assert save(session, variable, out, step) == os.path.join(out, f'model-{step}')
    assert checkpoints.latest(out) == os.path.join(out, 'model-12')
    assert names(out) == ['checkpoint', 'model-12.data-00000-of-00001', 'model-12.index']


@pytest.mark.parametrize('words', ['model_checkpoint_path: "model-5', 'model-5', ''])
def test_a_damaged_state_file_is_no_empty_folder(tmp_path, session, variable, words):
    save(session, variable, str(tmp_path), 5)
    (tmp_path / 'checkpoint').write_text(words)
    with pytest.raises(CheckpointError, match=f'cannot read {tmp_path}/checkpoint'):
        checkpoints.latest(str(tmp_path))


def test_a_folder_can_be_moved(tmp_path, session, variable):
    save(session, variable, str(tmp_path / 'a'), 5)
    (tmp_path / 'a').rename(tmp_path / 'b')
    assert checkpoints.latest(str(tmp_path / 'b')) == str(tmp_path / 'b' / 'model-5')


def test_a_folder_with_absolute_paths_can_be_moved(tmp_path, session, variable):
    tf.train.Saver().save(session, str(tmp_path / 'a' / 'model'), 5)  # as the post does
    (tmp_path / 'a').rename(tmp_path / 'b')
    assert checkpoints.latest(str(tmp_path / 'b')) == str(tmp_path / 'b' / 'model-5')


def test_a_checkpoint_that_is_named_but_gone_is_an_error(tmp_path, session, variable):
    save(session, variable, str(tmp_path), 5)
    os.remove(str(tmp_path / 'model-5.index'))
    with pytest.raises(CheckpointError) as error:
        checkpoints.latest(str(tmp_path))
    assert 'model-5, which does not exist' in str(error.value)


def test_values_come_back(tmp_path, session, variable):
    path = save(session, variable, str(tmp_path), 5)
    variable.load(np.zeros(3), session)
    checkpoints.restore(tf.train.Saver(), session, path, [variable])
    np.testing.assert_array_equal(session.run(variable), [5, 5, 5])


def test_another_shape_is_named(tmp_path, session, variable, graph):
    path = save(session, variable, str(tmp_path), 5)
    with tf.Graph().as_default(), tf.Session() as other:
        wider = tf.get_variable('weights', [4])
        with pytest.raises(CheckpointError) as error:
            checkpoints.restore(tf.train.Saver(), other, path, [wider])
    assert 'its weights has the shape [3], but this model needs [4]; use the `ngf`' in str(
        error.value
    )


def test_missing_variables_are_named(tmp_path, session, variable):
    path = save(session, variable, str(tmp_path), 5)
    with tf.Graph().as_default(), tf.Session() as other:
        bias = tf.get_variable('bias', [3])
        with pytest.raises(CheckpointError) as error:
            checkpoints.restore(tf.train.Saver(), other, path, [bias])
    assert 'has no variable bias: it is not a checkpoint of this model' in str(error.value)


def test_a_missing_or_damaged_checkpoint_is_named(tmp_path, session, variable):
    path = save(session, variable, str(tmp_path), 5)
    shutil.copy(path + '.index', str(tmp_path / 'cut.index'))
    (tmp_path / 'cut.data-00000-of-00001').write_bytes(b'12')
    shutil.copy(path + '.index', str(tmp_path / 'no data.index'))
    (tmp_path / 'bad.index').write_bytes(b'no index')
    for name in ('gone', 'cut', 'no data', 'bad'):
        with pytest.raises(CheckpointError) as error:
            checkpoints.restore(tf.train.Saver(), session, str(tmp_path / name), [variable])
        assert f'cannot read the checkpoint {tmp_path / name}' in str(error.value)


def test_a_folder_that_cannot_be_made_is_named(tmp_path, session, variable):
    saver = make_saver()
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(CheckpointError) as error:
        saving.write(saver, session, str(tmp_path / 'file' / 'out'), 5)
    assert f'cannot save {tmp_path}/file/out/model-5' in str(error.value)


def test_a_failed_save_leaves_what_was_there(tmp_path, session, variable):
    save(session, variable, str(tmp_path), 5)
    (tmp_path / 'model-60.index').write_bytes(b'of another')
    before = names(str(tmp_path))
    (tmp_path / 'model-6.index' / 'in the way').mkdir(parents=True)  # of putting it in place
    with pytest.raises(CheckpointError) as error:
        save(session, variable, str(tmp_path), 6)
    assert f'cannot save {tmp_path}/model-6' in str(error.value)
    assert names(str(tmp_path)) == sorted(before + ['model-6.index'])
    assert checkpoints.latest(str(tmp_path)) == str(tmp_path / 'model-5')


def test_an_older_checkpoint_is_named_when_the_newest_is_gone(tmp_path, session, variable):
    for step in (5, 9):
        save(session, variable, str(tmp_path), step, keep=2)
    for path in tmp_path.glob('model-9.*'):
        path.unlink()
    with pytest.raises(CheckpointError, match='model-9, which does not exist.*write model-5 in'):
        checkpoints.latest(str(tmp_path))


def test_what_is_named_as_the_newest_is_never_removed(tmp_path, session, variable, monkeypatch):
    """A disk that fails after the name was written, but before it is sure to have arrived."""
    save(session, variable, str(tmp_path), 5)
    path = saving.write(make_saver(), session, str(tmp_path), 9)

    def fail(folder):
        raise OSError(5, 'Input/output error')

    monkeypatch.setattr(saving.files, 'sync', fail)
    with pytest.raises(Pix2PixError, match='Input/output error'):
        saving.keep_newest(str(tmp_path), path)
    assert checkpoints.latest(str(tmp_path)) == path
    assert checkpoints.step_of(path) == 0  # it is whole: the graph has no global_step


def test_files_of_other_programs_stay(tmp_path, session, variable):
    save(session, variable, str(tmp_path), 5)
    mine = ['model-5.tar.gz', 'model-5.onnx', 'model-5.index.bak', 'model-5.notes.md']
    for name in mine:
        (tmp_path / name).write_text('mine')
    save(session, variable, str(tmp_path), 6)
    left = ['checkpoint', 'model-6.data-00000-of-00001', 'model-6.index']
    assert names(str(tmp_path)) == sorted(mine + left)
