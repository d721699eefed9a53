"""Training the post's code, taken from its text, from given weights."""

import contextlib
import csv
import os
import types

import pytest
import tensorflow.compat.v1 as tf
from support.helpers import ROOT

BUILD = """
import tensorflow as tf

def load_data(path):
    return None, tf.constant(1.0), tf.constant(2.0), 1

def build_model(inputs, targets):
    with tf.variable_scope('generator'):
        weight = tf.get_variable('weight', [], initializer=tf.zeros_initializer())
    losses = [tf.add(weight, 0.0, name=name) for name in ('discrim', 'gan', 'l1')]
    averages = tf.train.ExponentialMovingAverage(decay=0.0).apply(losses)
    with tf.control_dependencies([averages]):
        update = weight.assign_sub(inputs)
    step = tf.contrib.framework.get_or_create_global_step()
    return None, tf.group(update, tf.assign_add(step, 1)), None, None
"""
NOT_TAKEN = "raise AssertionError('the blocks after the losses are not run')"


@pytest.fixture
def post(tmp_path):
    """A text with code blocks like the post's; the last one is not part of the model."""
    blocks = ['pass'] * 6 + [BUILD, NOT_TAKEN]
    path = tmp_path / 'post.md'
    path.write_text('\n'.join(f'words\n```python\n{block}\n```' for block in blocks))
    return str(path)


@pytest.fixture
def start(tmp_path):
    """A checkpoint in which the weight is 5."""
    with tf.Graph().as_default(), tf.Session() as session:
        with tf.variable_scope('generator'):
            weight = tf.get_variable('weight', [], initializer=tf.constant_initializer(5.0))
        session.run(weight.initializer)
        return tf.train.Saver([weight]).save(session, str(tmp_path / 'start'))


@pytest.fixture
def training(monkeypatch):
    """The module."""
    monkeypatch.syspath_prepend(os.path.join(ROOT, 'bench'))
    import post_training

    return post_training


def test_it_starts_from_the_weights_and_writes_losses_csv(post, start, graph, tmp_path, training):
    out = str(tmp_path / 'out')
    training.train(post, 'data', start, out, steps=4, every=2)
    with open(os.path.join(out, 'losses.csv')) as file:
        rows = list(csv.DictReader(file))
    assert [int(row['step']) for row in rows] == [2, 4]
    # The losses of a step are those of the weight before its update: 5, 4, 3, 2
    for column in training.COLUMNS:
        assert [float(row[column]) for row in rows] == [4, 2]
    reader = tf.train.NewCheckpointReader(tf.train.latest_checkpoint(out))
    assert reader.get_tensor('generator/weight') == 1
    assert reader.get_tensor('global_step') == 4


def test_an_interrupted_run_resumes_from_its_checkpoint(
    post, start, tmp_path, training, monkeypatch
):
    out = str(tmp_path / 'out')
    with monkeypatch.context() as patches, tf.Graph().as_default():
        signal = types.SimpleNamespace(is_set=iter([False, False, True]).__next__)  # in step 3
        stopping = contextlib.contextmanager(lambda: (yield signal))
        patches.setattr(training.signals, 'stopping_on_signals', stopping)
        training.train(post, 'data', start, out, steps=9, every=2)
    assert tf.train.latest_checkpoint(out) == os.path.join(out, 'model-3')
    with open(os.path.join(out, 'losses.csv'), 'a') as file:
        file.write('4,1,0,0,0\n')  # as if it had been killed after a step that was not saved
    with tf.Graph().as_default():
        training.train(post, 'data', start, out, steps=6, every=2)
    with open(os.path.join(out, 'losses.csv')) as file:
        rows = [(int(row['step']), float(row[training.COLUMNS[0]])) for row in csv.DictReader(file)]
    assert rows == [(2, 4), (4, 2), (6, 0)]
