import contextlib
from dataclasses import replace

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from pix2pix_tf.model import build_model

pytestmark = pytest.mark.post_networks

LOSSES = ('gen_loss', 'discrim_loss', 'gen_loss_gan', 'gen_loss_l1')
AVERAGED = ('discrim_loss', 'gen_loss_gan', 'gen_loss_l1')


@pytest.fixture(scope='module')
def images():
    rng = np.random.RandomState(11)
    return [rng.uniform(-1, 1, (2, 256, 256, 3)).astype(np.float32) for _ in range(2)]


@pytest.fixture(scope='module')
def model(graph_mode, narrow, images):
    """The model on constant images, without dropout, so that every run has the same results."""
    with tf.Graph().as_default():
        tf.set_random_seed(1)
        return build_model(*map(tf.constant, images), replace(narrow, dropout=0.0))


@contextlib.contextmanager
def open_session(model, **options):
    """A session in which the variables of `model` are new; its graph is the default."""
    with model.gen_loss.graph.as_default(), tf.Session(**options) as session:
        session.run(tf.global_variables_initializer())
        yield session


@pytest.fixture
def built(model):
    """The model, and a session for it."""
    with open_session(model) as session:
        yield model, session


def test_losses_are_the_formulas_of_the_post(built, images):
    model, session = built
    got, real, fake, outputs = session.run(
        [[getattr(model, n) for n in LOSSES], model.predict_real, model.predict_fake, model.outputs]
    )
    assert real.shape == fake.shape == (2, 30, 30, 1)
    gan = np.mean(-np.log(fake + 1e-12))
    l1 = np.mean(np.abs(images[1] - outputs))
    discrim = np.mean(-(np.log(real + 1e-12) + np.log(1 - fake + 1e-12)))
    np.testing.assert_allclose(got, [gan + 100 * l1, discrim, gan, l1], rtol=1e-4)


def test_a_certain_discriminator_has_a_finite_loss(model):
    """predict_fake is rounded to 1: the post's EPS must survive the folding of constants."""
    with open_session(model, config=tf.ConfigProto()) as session:  # folds constants
        make_certain(session)
        fake, loss, *sums = session.run(
            [
                model.predict_fake,
                model.discrim_loss,
                model.discrim_gradient_sum,
                model.gen_gradient_sum,
            ]
        )
    assert fake.min() == 1
    np.testing.assert_allclose(loss, -np.log(1e-12), rtol=1e-5)
    assert np.isfinite(sums).all()


def make_certain(session):
    """Gives the discriminator weights with which it rates every patch as real."""
    for variable in tf.trainable_variables():
        if variable.op.name == 'discriminator/layer_4/batchnorm/offset':
            variable.load(np.full(variable.get_shape().as_list(), 100.0), session)
        if variable.op.name == 'discriminator/layer_5/conv/filter':
            variable.load(np.ones(variable.get_shape().as_list()), session)


def test_a_gradient_that_is_not_finite_shows_in_the_sum(built):
    model, session = built
    sums = [model.discrim_gradient_sum, model.gen_gradient_sum]
    assert np.isfinite(session.run(sums)).all()
    name = 'discriminator/layer_2/batchnorm/scale'
    [variable] = [v for v in tf.global_variables() if v.op.name == name]
    variable.load(np.full(8, np.inf), session)
    assert not np.isfinite(session.run(sums)).any()


def test_a_step_updates_the_global_step_and_the_averages(built):
    model, session = built
    averages = [getattr(model, n + '_average') for n in AVERAGED]
    want = np.zeros(3)
    for step in range(1, 4):
        got = session.run(
            {
                'train': model.train_op,
                'losses': [getattr(model, n) for n in AVERAGED],
                'averages': averages,
                'step': model.global_step,
            }
        )
        want = 0.99 * want + 0.01 * np.array(got['losses'])
        np.testing.assert_allclose(got['averages'], want, rtol=1e-4)
        assert got['step'] == step


def test_a_step_changes_every_trainable_variable(built):
    model, session = built
    before = session.run({v.op.name: v for v in tf.trainable_variables()})
    session.run(model.train_op)
    after = session.run({v.op.name: v for v in tf.trainable_variables()})
    assert [name for name in before if np.array_equal(before[name], after[name])] == []


def test_generator_gradients_see_the_discriminator_after_its_update(built):
    model, session = built
    name = 'generator/decoder_1/deconv/filter'
    variables = {v.op.name: v for v in tf.global_variables()}
    [gradient] = tf.gradients(model.gen_loss, [variables[name]])
    before = session.run(gradient)  # before the update of the discriminator
    # After one step, Adam's first moment is (1 - beta1) * gradient
    session.run(model.train_op)
    taken = 2 * session.run(variables[name + '/Adam'])
    difference = np.linalg.norm(before - taken) / np.linalg.norm(before)
    assert 1e-4 < difference < 0.5


def test_all_variables_have_the_names_of_the_post(built):
    trainable = {v.op.name for v in tf.trainable_variables()}
    want = set(trainable)
    want |= {f'{name}/{slot}' for name in trainable for slot in ('Adam', 'Adam_1')}
    want |= {'beta1_power', 'beta2_power', 'beta1_power_1', 'beta2_power_1', 'global_step'}
    # The op names of the post's three reduce_mean
    want |= {f'{mean}/ExponentialMovingAverage' for mean in ('Mean', 'Mean_1', 'Mean_2')}
    assert {v.op.name for v in tf.global_variables()} == want


def test_a_loss_scale_does_not_change_the_gradients(model, narrow, images):
    config = replace(narrow, dropout=0.0)
    with tf.Graph().as_default():
        tf.set_random_seed(1)
        scaled = build_model(*map(tf.constant, images), config, loss_scale=128.0)
    gradients = []
    for one in (model, scaled):
        with open_session(one) as session:
            gradients.append(session.run(one.gradients))
    for name, gradient in gradients[0].items():
        np.testing.assert_allclose(gradients[1][name], gradient, rtol=1e-4, atol=1e-7)


def test_innermost_layers_get_no_gradient_at_batch_size_1(graph, narrow, images):
    model = build_model(*[tf.constant(p[:1]) for p in images], narrow)
    with open_session(model) as session:
        gradients = session.run(model.gradients)
    zero = {name.split('/')[1] for name, value in gradients.items() if not value.any()}
    assert zero == {'encoder_8', 'decoder_8'}
