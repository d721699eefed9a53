from dataclasses import replace

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from pix2pix_tf import networks
from pix2pix_tf.config import Config
from pix2pix_tf.model import build_generator
from pix2pix_tf.networks import create_discriminator, create_generator
from pix2pix_tf.system.errors import UsageError

pytestmark = pytest.mark.post_networks


def shapes_of(variables):
    return {variable.op.name: variable.get_shape().as_list() for variable in variables}


def test_generator_has_the_variables_of_the_post(graph):
    outputs = build_generator(tf.zeros([1, 256, 256, 3]))
    assert outputs.get_shape().as_list() == [1, 256, 256, 3]
    encoder = [64, 128, 256, 512, 512, 512, 512, 512]
    decoder = {8: 512, 7: 512, 6: 512, 5: 512, 4: 256, 3: 128, 2: 64, 1: 3}
    want = {}
    for layer, out in enumerate(encoder, 1):
        into = 3 if layer == 1 else encoder[layer - 2]
        want[f'generator/encoder_{layer}/conv/filter'] = [4, 4, into, out]
    for layer, out in decoder.items():
        into = 512 if layer == 8 else decoder[layer + 1] + encoder[layer - 1]
        want[f'generator/decoder_{layer}/deconv/filter'] = [4, 4, out, into]
    for coder, layers in (('encoder', range(2, 9)), ('decoder', range(2, 9))):
        for layer in layers:
            channels = encoder[layer - 1] if coder == 'encoder' else decoder[layer]
            for name in ('offset', 'scale'):
                want[f'generator/{coder}_{layer}/batchnorm/{name}'] = [channels]
    assert shapes_of(tf.trainable_variables()) == want


def test_discriminator_has_the_variables_of_the_post(graph):
    images = tf.zeros([1, 256, 256, 3])
    with tf.variable_scope('discriminator'):
        predictions = create_discriminator(images, images)
    assert predictions.get_shape().as_list() == [1, 30, 30, 1]
    want = {}
    for layer, (into, out) in enumerate([(6, 64), (64, 128), (128, 256), (256, 512), (512, 1)], 1):
        want[f'discriminator/layer_{layer}/conv/filter'] = [4, 4, into, out]
        if 2 <= layer <= 4:
            want[f'discriminator/layer_{layer}/batchnorm/offset'] = [out]
            want[f'discriminator/layer_{layer}/batchnorm/scale'] = [out]
    assert shapes_of(tf.trainable_variables()) == want


def test_dropout_is_in_decoders_8_to_6_and_stays_on(graph, narrow):
    outputs = create_generator(tf.random_uniform([1, 256, 256, 3], -1, 1, seed=1), narrow)
    scopes = {op.name.split('/')[0] for op in graph.get_operations() if 'dropout' in op.name}
    assert scopes == {'decoder_8', 'decoder_7', 'decoder_6'}
    fixed = tf.placeholder_with_default(np.zeros((1, 256, 256, 3), np.float32), [1, 256, 256, 3])
    with tf.variable_scope('', reuse=True):
        outputs = create_generator(fixed, narrow)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        image = {fixed: np.random.RandomState(3).uniform(-1, 1, (1, 256, 256, 3))}
        first, second = session.run(outputs, image), session.run(outputs, image)
    assert np.abs(first).max() <= 1
    assert np.abs(first - second).max() > 0


def test_without_dropout_nothing_is_drawn_and_nothing_is_scaled(graph, narrow, monkeypatch):
    image = tf.random_uniform([1, 256, 256, 3], -1, 1, seed=1)
    seed = tf.constant([3, 16], tf.int64)
    before = _drawing_ops(graph)
    outputs = [create_generator(image, replace(narrow, dropout=0.0), seed)]
    assert _drawing_ops(graph) == before
    with tf.variable_scope('', reuse=True):
        outputs.append(create_generator(image, narrow, seed))
        assert _drawing_ops(graph) == before + 3
        # The expectation of dropout is its input
        monkeypatch.setattr(networks, 'dropout', lambda x, rate, seed: x)
        outputs.append(create_generator(image, narrow, seed))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        without, dropped, kept = session.run(outputs)
    np.testing.assert_array_equal(without, kept)
    assert np.abs(without - dropped).max() > 0


def _drawing_ops(graph):
    types = [op.type for op in graph.get_operations()]
    return types.count('RandomUniform') + types.count('StatelessRandomUniform')


def test_other_multiples_of_256_work(graph, narrow):
    outputs = create_generator(tf.zeros([2, 512, 256, 3]), narrow)
    assert outputs.get_shape().as_list() == [2, 512, 256, 3]


@pytest.mark.parametrize('size', [128, 286])
def test_other_sizes_are_rejected_with_the_reason(graph, size):
    with pytest.raises(UsageError) as error:
        create_generator(tf.zeros([1, size, size, 3]), Config(ngf=4))
    assert f'is {size}: it must be a multiple of 256' in str(error.value)


def test_images_with_seeds_are_computed_alone(graph):
    """To the last bit. Without seeds, images share the statistics of their batch."""
    pixels = np.random.RandomState(1).uniform(-1, 1, (2, 256, 256, 3)).astype(np.float32)
    config, seeds = Config(ngf=1), np.array([[1, 16], [2, 32]])
    one = build_generator(tf.constant(pixels[:1]), config, tf.constant(seeds[:1]))
    both = build_generator(tf.constant(pixels), config, tf.constant(seeds))
    shared = build_generator(tf.constant(pixels), config)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        one, both, shared = session.run([one, both, shared])
    np.testing.assert_array_equal(one[0], both[0])
    assert np.abs(shared[0] - both[0]).max() > 0.01
