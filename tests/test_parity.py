"""The package against the post's own graph, number by number, in float64.

In float64, rounding does not matter, so the mathematics must agree. The networks have all layers of
the post's, with fewer filters. The graph optimizer is on, as in a training.
"""

import contextlib
import os
from dataclasses import replace

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from support import forms
from support.helpers import ROOT

from pix2pix_tf import kernels, model
from pix2pix_tf.config import Config

pytestmark = pytest.mark.post_networks

WIDTH = 4  # filters in the first layer of each network
CONFIG = Config(ngf=WIDTH, ndf=WIDTH, dropout=0.0)
TOLERANCE = 1e-5  # relative; leaky_relu keeps its slope as a float32


@contextlib.contextmanager
def in_float64():
    """Makes tf.float32, the only name for the type in both codes, stand for float64."""
    before = tf.float32
    tf.float32 = tf.float64
    try:
        yield
    finally:
        tf.float32 = before


def build_reference(inputs, targets):
    import reference

    return reference.build_model(inputs, targets, WIDTH, WIDTH, rate=0.0)


def run(build, batch, weights):
    """{name: array} of all results of a step, and {variable: array} before it.

    `weights` ({variable: array}) replace the initial values.
    """
    rng = np.random.RandomState(batch)
    images = np.tanh(rng.randn(2, batch, 256, 256, 3))
    with tf.Graph().as_default() as graph, in_float64():
        tf.set_random_seed(1)
        inputs, targets = (tf.constant(image) for image in images)
        step = build(inputs, targets)
        variables = {v.op.name: v for v in tf.global_variables()}
        # A configuration, even an empty one, has the graph optimizer on: see support/frugal.py
        with tf.Session(graph=graph, config=tf.ConfigProto()) as session:
            session.run(tf.global_variables_initializer())
            for name, value in (weights or {}).items():
                variables[name].load(value, session)
            trainable = {v.op.name: v for v in tf.trainable_variables()}
            before = session.run(trainable)
            losses = {n: getattr(step, n) for n in ('discrim_loss', 'gen_loss_gan', 'gen_loss_l1')}
            # A gradient of the generator is computed after the update of the discriminator, so all
            # are read in the run of the step. The losses are read before it.
            values = session.run(dict(losses, outputs=step.outputs))
            gradients, _ = session.run([step.gradients, step.train_op])
            values.update((f'the gradient of {n}', value) for n, value in gradients.items())
            after = session.run({n: v for n, v in variables.items() if _is_compared(n)})
            values.update((f'{n} after the step', value) for n, value in after.items())
    return values, before


def _is_compared(variable):
    # The averages are named after the ops of the losses, which have other names in the post
    return 'ExponentialMovingAverage' not in variable


def largest_difference(values, expected):
    """(relative L2 error, name) of the largest difference."""
    assert set(values) == set(expected)
    errors = []
    for name, want in expected.items():
        norm = np.linalg.norm(want)
        error = np.linalg.norm(values[name] - want)
        errors.append((error / norm if norm else error, name))
    return max(errors)


@pytest.fixture(scope='module')
def post():
    """A function: batch size => the results of the post's graph, and its initial weights."""
    results = {}

    def run_once(batch):
        if batch not in results:
            results[batch] = run(build_reference, batch, None)
        return results[batch]

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(os.path.join(ROOT, 'bench'))
        yield run_once


def difference(post, batch, config=CONFIG):
    expected, weights = post(batch)
    values, before = run(lambda x, y: model.build_model(x, y, config), batch, weights)
    assert {n: w.shape for n, w in before.items()} == {n: w.shape for n, w in weights.items()}
    return largest_difference(values, expected)


@pytest.mark.parametrize('batch', [1, 2])
def test_a_step_computes_what_the_post_does(post, batch):
    values, weights = post(batch)
    assert len(weights) == 55
    # Outputs, three losses; all gradients; all variables, two slots for each and the global step
    assert len(values) >= 4 + 55 + 3 * 55 + 1
    error, name = difference(post, batch)
    assert error < TOLERANCE, name


@pytest.mark.parametrize('form', forms.NAMES)
def test_so_do_the_forms_that_only_wider_networks_use(post, monkeypatch, form):
    forms.use_everywhere(monkeypatch, form)
    used = {kernels.form_of(operation, 64, 8, 8) for operation in kernels.OPERATIONS}
    assert form in used | {kernels.form_of_stride_1(8, 8)}
    error, name = difference(post, 1)
    assert error < TOLERANCE, name


@pytest.mark.parametrize('change', [{'variance_epsilon': 1.1e-5}, {'leak': 0.201}])
def test_a_different_constant_is_found(post, change):
    assert difference(post, 1, replace(CONFIG, **change))[0] > TOLERANCE


def test_updating_the_generator_first_is_found(post, monkeypatch):
    original, waiting = model._minimize, []

    def minimize(loss, scope, *rest):
        if scope == 'discriminator':
            waiting.append((loss, scope, *rest))
            return tf.no_op(), {'discriminator/layer_5/conv/filter': tf.constant(0.0)}
        first, gradients = original(loss, scope, *rest)
        with tf.control_dependencies([first]):
            second, more = original(*waiting.pop())
        return tf.group(first, second), dict(gradients, **more)

    monkeypatch.setattr(model, '_minimize', minimize)
    assert difference(post, 1)[0] > TOLERANCE


def test_a_different_padding_is_found(post, monkeypatch):
    """Both rows of zeros are below the image instead of one above and one below."""
    original = kernels.plain_conv2d

    def convolve(images, filters, stride):
        if stride == 2:
            return original(images, filters, stride)
        padded = tf.pad(images, [[0, 0], [0, 2], [1, 1], [0, 0]])
        return tf.nn.conv2d(padded, filters, [1, 1, 1, 1], padding='VALID')

    monkeypatch.setattr(kernels, 'plain_conv2d', convolve)
    assert difference(post, 1)[0] > TOLERANCE
