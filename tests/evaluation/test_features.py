"""FID and KID over the features of a network that the user provides."""

import json
import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from support.feature_networks import WEIGHTS, build_network, write_frozen_graph
from support.helpers import error_line, run_command

from pix2pix_tf.evaluation import features, metrics
from pix2pix_tf.evaluation.features import FeatureNetwork
from pix2pix_tf.system.errors import Pix2PixError

PIXELS = np.random.RandomState(1).randint(0, 256, (3, 8, 8, 3)).astype(np.uint8)


def write_saved_model(path):
    with tf.Graph().as_default(), tf.Session() as session:
        images, [maps] = build_network()
        scale = tf.get_variable('scale', [], initializer=tf.ones_initializer())
        session.run(tf.global_variables_initializer())
        tf.saved_model.simple_save(
            session, str(path), {'images': images}, {'features': maps * scale}
        )
    return str(path)


def expected(low=0.0, high=255.0):
    scaled = low + PIXELS.astype(np.float64) / 255 * (high - low)
    return scaled.mean(axis=(1, 2)) @ WEIGHTS


@pytest.mark.parametrize('write', [write_frozen_graph, write_saved_model])
@pytest.mark.parametrize('range_', [(0.0, 255.0), (-1.0, 1.0)])
def test_features_are_those_of_the_network(tmp_path, write, range_):
    network = FeatureNetwork(write(tmp_path / 'network'), None, None, *range_)
    with features.opened(network) as extract:
        got = extract(PIXELS)
    assert got.shape == (3, 5)
    np.testing.assert_allclose(got, expected(*range_), rtol=1e-4, atol=1e-4)


def test_images_are_scaled_to_the_input_size_of_the_network(tmp_path):
    path = write_frozen_graph(tmp_path / 'network.pb', size=16)
    flat = np.broadcast_to(PIXELS[:, :1, :1], PIXELS.shape)
    with features.opened(FeatureNetwork(path)) as extract:
        got = extract(flat)
    np.testing.assert_allclose(got, flat[:, 0, 0].astype(float) @ WEIGHTS, rtol=1e-4, atol=1e-3)


def test_a_network_that_takes_only_single_images_is_an_error(tmp_path):
    path = write_frozen_graph(tmp_path / 'network.pb', batch=1)
    wrong = pytest.raises(Pix2PixError, match=f'{path} does not accept these images')
    with features.opened(FeatureNetwork(path)) as extract, wrong:
        extract(PIXELS)


def test_ambiguous_tensors_are_listed_and_can_be_chosen(tmp_path):
    path = write_frozen_graph(tmp_path / 'network.pb', outputs=2)
    with pytest.raises(Pix2PixError) as error, features.opened(FeatureNetwork(path)):
        pass
    assert 'it could be features_0, features_1; choose one with `features_output`' in str(
        error.value
    )
    with features.opened(FeatureNetwork(path, 'images:0', 'features_1')) as extract:
        np.testing.assert_allclose(extract(PIXELS), 2 * expected(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize('make', ['nothing', 'text', 'empty folder', 'no such tensor'])
def test_a_path_without_a_network_is_an_error(tmp_path, make):
    path, output = str(tmp_path / 'network'), None
    if make == 'text':
        (tmp_path / 'network').write_text('no network')
    elif make == 'empty folder':
        (tmp_path / 'network').mkdir()
    elif make == 'no such tensor':
        write_frozen_graph(path)
        output = 'nowhere'
    with pytest.raises(Pix2PixError) as error, features.opened(FeatureNetwork(path, None, output)):
        pass
    assert str(error.value).startswith(f'{path} cannot be used as a feature network: ')
    assert '\n' not in str(error.value)


def test_evaluate_measures_distances_between_features(trained, pairs, tmp_path):
    path = write_frozen_graph(tmp_path / 'network.pb')
    out = str(tmp_path / 'out')
    flags = [f'--data={pairs}', f'--out={out}', f'--checkpoint={trained}/model-2', '--seed=1']
    result = run_command('evaluate', *flags, f'--features={path}', '--features_range=-1,1')
    assert (result.returncode, result.stderr) == (0, '')
    assert sorted(os.listdir(out)) == ['metrics.csv', 'metrics.json']
    with open(os.path.join(out, 'metrics.json')) as file:
        distances = json.load(file)['distances']
    assert set(distances) == {'FID', 'KID'}
    assert f'FID       {distances["FID"]:10.4f}' in result.stdout
    # The same by hand, from the exported images
    run_command('export', *flags)
    sets = []
    for kind in ('outputs', 'targets'):
        with tf.Graph().as_default(), tf.Session() as session:
            pixels = [
                session.run(tf.image.decode_png(tf.read_file(f'{out}/images/{n}-{kind}.png')))
                for n in range(1, 6)
            ]
        sets.append((np.array(pixels) / 127.5 - 1).mean(axis=(1, 2)) @ WEIGHTS)
    assert distances['FID'] == pytest.approx(metrics.frechet_distance(*sets), rel=1e-3, abs=1e-5)
    assert distances['KID'] == pytest.approx(metrics.kernel_distance(*sets), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize(
    'flag',
    [
        '--features_range=0',
        '--features_range=a,b',
        '--features_range=0,inf',
        '--features_output=x',
        '--samples=0',
    ],
)
def test_invalid_flags_exit_with_status_2(flag):
    assert flag.split('=')[0] in error_line(run_command('evaluate', flag), 2)


def test_features_that_are_not_finite_are_an_error(tmp_path):
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, None, None, 3])
        tf.log(tf.reduce_mean(images, [1, 2]) * 0)
        (tmp_path / 'network').write_bytes(graph.as_graph_def().SerializeToString())
    network = FeatureNetwork(str(tmp_path / 'network'))
    with features.opened(network) as extract, pytest.raises(Pix2PixError) as error:
        extract(PIXELS)
    assert f'{tmp_path}/network returns features that are not finite' in str(error.value)
