"""Exports and loading while a training replaces the checkpoint that was found."""

import os
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from support.helpers import read_checkpoint

from pix2pix_tf import checkpoints, exporting, saving
from pix2pix_tf.inference import generator as generator_module
from pix2pix_tf.inference.generator import load
from pix2pix_tf.inference.trained import find
from pix2pix_tf.system.errors import CheckpointError


@pytest.fixture
def out(trained, tmp_path):
    copy = str(tmp_path / 'out')
    shutil.copytree(trained, copy)
    return copy


def train_on(out):
    """Does what a training with keep=1 does next: it saves model-3, and removes model-2."""
    values = dict(read_checkpoint(out), global_step=np.int64(3))
    # It shows whose weights are used: all outputs are gray
    values['generator/decoder_1/deconv/filter'] *= 0
    with tf.Graph().as_default(), tf.Session() as session:
        for name, value in values.items():
            tf.get_variable(name, initializer=value)
        session.run(tf.global_variables_initializer())
        path = saving.write(tf.train.Saver(), session, out, 3)
    saving.keep_newest(out, path, 1)
    assert not os.path.exists(os.path.join(out, 'model-2.index'))


def test_an_export_takes_the_newer_checkpoint(pairs, out):
    test_set, trained = exporting.find_test_set(pairs), exporting.find_trained(out)
    assert trained.checkpoint == os.path.join(out, 'model-2')
    train_on(out)
    with exporting.running(test_set.paths, trained) as (restored, batches):
        outputs = [batch['outputs_pixels'] for batch in batches]
    assert restored == (os.path.join(out, 'model-3'), 3)
    assert sum(map(len, outputs)) == 5 and all(
        set(pixels.ravel()) <= {127, 128} for pixels in outputs
    )


def test_an_evaluation_encodes_no_files(pairs, out):
    test_set, trained = exporting.find_test_set(pairs), exporting.find_trained(out)
    with exporting.running(test_set.paths, trained, encode=False) as (_, batches):
        names = {name for batch in batches for name in batch}
    assert names == {'paths', 'inputs_pixels', 'outputs_pixels', 'targets_pixels'}


def test_a_checkpoint_chosen_by_name_is_not_replaced_by_another(pairs, out):
    name = os.path.join(out, 'model-2')
    test_set, trained = exporting.find_test_set(pairs), exporting.find_trained(name)
    train_on(out)
    with pytest.raises(CheckpointError) as error, exporting.running(test_set.paths, trained):
        pass
    assert f'no checkpoint {name}: ' in str(error.value)


def test_a_checkpoint_may_be_replaced_while_it_is_looked_for(out, monkeypatch):
    original, asked = tf.train.checkpoint_exists, []

    def replaced(path):
        asked.append(path)
        if len(asked) == 1:
            train_on(out)
        return original(path)

    monkeypatch.setattr(tf.train, 'checkpoint_exists', replaced)
    assert checkpoints.latest(out) == os.path.join(out, 'model-3')
    assert asked[0] == os.path.join(out, 'model-2')


def test_a_checkpoint_may_be_replaced_while_its_step_is_read(out, monkeypatch):
    original = checkpoints.step_of

    def replaced(path):
        if path == os.path.join(out, 'model-2'):
            train_on(out)
        return original(path)

    monkeypatch.setattr(checkpoints, 'step_of', replaced)
    assert find(out).step == 3


def test_a_checkpoint_without_its_data_is_an_error(pairs, out):
    test_set, trained = exporting.find_test_set(pairs), exporting.find_trained(out)
    os.remove(os.path.join(out, 'model-2.data-00000-of-00001'))
    with pytest.raises(CheckpointError) as error, exporting.running(test_set.paths, trained):
        pass
    assert f'cannot read the checkpoint {out}/model-2' in str(error.value)


def test_loading_a_model_takes_the_newer_checkpoint(out, monkeypatch):
    def find_and_train(model):
        found = find(model)
        if found.step == 2:
            train_on(out)
        return found

    monkeypatch.setattr(generator_module, 'find', find_and_train)
    with load(out) as generator:
        assert (generator.checkpoint, generator.step) == (os.path.join(out, 'model-3'), 3)
