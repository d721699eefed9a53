"""The learning rate that falls to 0: its values, and what a run makes of them."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from support.helpers import SMALL, SMALL_FLAGS, error_line, read_events, run_command

from pix2pix_tf import model, training
from pix2pix_tf.config import Config
from pix2pix_tf.monitoring import csv_log
from pix2pix_tf.system.errors import UsageError

RATE = 0.01
FALLING = replace(SMALL, learning_rate=RATE, decay_from=1, summary_freq=1, progress_freq=0)


def rates_in(out):
    """{step: learning rate} in losses.csv."""
    return {int(row['step']): row['learning_rate'] for row in csv_log.load(str(out))}


def rates(values):
    return pytest.approx({step: RATE * part for step, part in values.items()}, rel=1e-6)


def test_it_is_constant_and_then_a_straight_line(graph):
    config = Config(learning_rate=RATE, decay_from=10**6)
    rate = model.learning_rate_schedule(config, 10**6 + 1000)
    step = tf.train.get_global_step()
    with tf.Session() as session:
        for done, part in (
            (0, 1),
            (10**6, 1),
            (10**6 + 1, 0.999),
            (10**6 + 750, 0.25),
            (10**6 + 999, 0.001),  # the last step of the training
        ):
            step.load(done, session)
            assert session.run(rate) == pytest.approx(RATE * part, rel=1e-6)


def test_without_decay_from_no_op_is_added(graph):
    assert model.learning_rate_schedule(Config(learning_rate=RATE), 10) == RATE
    assert graph.get_operations() == []


@pytest.mark.parametrize('decay_from', [10, 11])
def test_it_must_begin_before_the_last_step(graph, decay_from):
    with pytest.raises(UsageError) as error:
        model.learning_rate_schedule(Config(decay_from=decay_from), 10)
    assert str(error.value) == f'`decay_from` is {decay_from}: it must be below 10, the last step'


def test_the_command_names_the_last_step_of_the_epochs(pairs, tmp_path):
    flags = [f'--data={pairs}', f'--out={tmp_path}/out', '--max_epochs=2', *SMALL_FLAGS]
    line = error_line(run_command('train', *flags, '--decay_from=10'), 2)
    assert line.endswith('--decay_from is 10: it must be below 10, the last step')


@pytest.mark.parametrize('done', [0, 3])
def test_both_networks_are_updated_by_the_rate_of_the_step(graph, done):
    """Adam's first update changes a weight by the rate, whatever the gradient."""
    images = np.random.RandomState(1).uniform(-1, 1, (2, 1, 64, 64, 3)).astype(np.float32)
    config = replace(SMALL, learning_rate=RATE, decay_from=0, dropout=0.0)
    tf.set_random_seed(1)
    schedule = model.learning_rate_schedule(config, 4)
    built = model.build_model(*map(tf.constant, images), config, learning_rate=schedule)
    weights = {variable.op.name: variable for variable in tf.trainable_variables()}
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        tf.train.get_global_step().load(done, session)
        before = session.run(weights)
        results = session.run([built.learning_rate, built.global_step, built.train_op])
        after = session.run(weights)
    rate = RATE * (4 - done) / 4
    assert results[:2] == [pytest.approx(rate, rel=1e-6), done + 1]
    for network in ('generator', 'discriminator'):
        changes = [
            np.abs(after[name] - before[name]).max() for name in weights if name.startswith(network)
        ]
        assert max(changes) == pytest.approx(rate, rel=1e-3)


def test_a_run_logs_it_and_continues_it_after_a_resume(pairs, tmp_path):
    out = str(tmp_path / 'out')
    training.train(pairs, out, replace(FALLING, max_steps=3))
    assert rates_in(out) == rates({1: 1, 2: 1, 3: 1 / 2})
    # With more steps it rises again, to the line that ends at the new last step
    training.train(pairs, out, replace(FALLING, max_steps=5))
    assert rates_in(out) == rates({1: 1, 2: 1, 3: 1 / 2, 4: 2 / 4, 5: 1 / 4})
    logged = {one.step: one.value for one in read_events(out).Scalars('learning_rate')}
    assert logged == pytest.approx(rates_in(out), rel=1e-6)
