"""An export while a training replaces the checkpoint that the export has found."""

import os
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from support.helpers import read_checkpoint

from pix2pix_tf import checkpoints, exporting, saving
from pix2pix_tf.inference import generator as generator_module
from pix2pix_tf.inference.generator import load
from pix2pix_tf.system.errors import CheckpointError


@pytest.fixture
def out(trained, tmp_path):
    copy = str(tmp_path / 'out')
    shutil.copytree(trained, copy)
    return copy


def train_on(out):
    """What a training with keep=1 does meanwhile: it saves model-3, and removes model-2."""
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


def test_it_takes_the_newer_checkpoint(pairs, out):
    job = exporting.prepare(pairs, out)
    assert job.source['checkpoint'] == os.path.join(out, 'model-2')
    train_on(out)
    with exporting.running(job) as batches:
        outputs = [batch['outputs_pixels'] for batch in batches]
    assert job.source['checkpoint'] == os.path.join(out, 'model-3')
    assert job.source['step'] == 3
    assert sum(map(len, outputs)) == 5 and all(
        set(pixels.ravel()) <= {127, 128} for pixels in outputs
    )


def test_an_evaluation_encodes_no_files(pairs, out):
    job = exporting.prepare(pairs, out)
    with exporting.running(job, encode=False) as batches:
        names = {name for batch in batches for name in batch}
    assert names == {'paths', 'inputs_pixels', 'outputs_pixels', 'targets_pixels'}


def test_a_checkpoint_that_was_named_is_not_replaced_by_another(pairs, out):
    name = os.path.join(out, 'model-2')
    job = exporting.prepare(pairs, out, checkpoint=name)
    train_on(out)
    with pytest.raises(CheckpointError) as error, exporting.running(job):
        pass
    assert f'cannot read the checkpoint {name}' in str(error.value)


def test_a_checkpoint_that_is_replaced_while_it_is_looked_for_is_no_error(out, monkeypatch):
    original, asked = tf.train.checkpoint_exists, []

    def replaced(path):
        asked.append(path)
        if len(asked) == 1:
            train_on(out)
        return original(path)

    monkeypatch.setattr(tf.train, 'checkpoint_exists', replaced)
    assert checkpoints.latest(out) == os.path.join(out, 'model-3')
    assert asked[0] == os.path.join(out, 'model-2')


def test_a_checkpoint_that_is_gone_for_good_is_an_error(pairs, out):
    job = exporting.prepare(pairs, out)
    os.remove(os.path.join(out, 'model-2.data-00000-of-00001'))
    with pytest.raises(CheckpointError) as error, exporting.running(job):
        pass
    assert f'cannot read the checkpoint {out}/model-2' in str(error.value)


def test_a_loaded_model_is_the_newer_one_then(out, monkeypatch):
    find = generator_module.find_model

    def find_and_train(model):
        source = find(model)
        if source.step == 2:
            train_on(out)
        return source

    monkeypatch.setattr(generator_module, 'find_model', find_and_train)
    with load(out) as generator:
        assert (generator.checkpoint, generator.step) == (os.path.join(out, 'model-3'), 3)
