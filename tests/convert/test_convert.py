"""Converted generators return what the checkpoint returns."""

import io
import os
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from support.encoding import encoded
from support.helpers import pair_pixels

import pix2pix_tf
from pix2pix_tf import kernels, options_file
from pix2pix_tf.convert import convert
from pix2pix_tf.inference.trained import find

pytestmark = [pytest.mark.post_networks, pytest.mark.usefixtures('forked_checks')]


@pytest.fixture(scope='module')
def written(source, forked_checks, tmp_path_factory):
    """The path of a folder with a SavedModel."""
    to = str(tmp_path_factory.mktemp('models') / 'mine')
    assert convert.convert(source, 'saved_model', to).difference <= 2 / 127.5
    return to


def run_signature(folder, name, **feeds):
    with tf.Graph().as_default(), tf.Session() as session:
        loaded = tf.saved_model.loader.load(session, ['serve'], folder)
        signature = loaded.signature_def[name]
        [output] = signature.outputs.values()
        return session.run(output.name, {signature.inputs[k].name: v for k, v in feeds.items()})


def read_saved_model(folder):
    """(its GraphDef, its signatures)."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    with open(os.path.join(folder, 'saved_model.pb'), 'rb') as file:
        model.ParseFromString(file.read())
    return model.meta_graphs[0].graph_def, model.meta_graphs[0].signature_def


def test_a_saved_model_returns_what_the_checkpoint_returns(written, trained):
    folder = os.path.join(written, '2')  # TensorFlow Serving's version: the step
    image = pair_pixels(7, 300, 200)
    with pix2pix_tf.load(trained) as generator:
        expected = [generator(image, seed=seed).astype(int) for seed in (4, 5)]
    files = [encoded(image)] * 2
    answers = run_signature(folder, 'seeded', image_bytes=files, seed=[4, 5])
    for answer, wanted in zip(answers, expected):
        got = np.asarray(Image.open(io.BytesIO(answer))).astype(int)
        assert np.abs(got - wanted).max() <= 2
    # Without a seed, each is different
    first, second = run_signature(folder, 'serving_default', image_bytes=files)
    assert first != second
    floats = run_signature(folder, 'floats', inputs=np.zeros([3, 256, 256, 3], np.float32))
    assert floats.shape == (3, 256, 256, 3) and np.abs(floats).max() <= 1


def test_a_saved_model_without_dropout_has_no_noise(trained, forked_checks, tmp_path):
    source = find(trained, dropout=0.0)
    done = convert.convert(source, 'saved_model', str(tmp_path))
    assert 0 <= done.difference <= 2 / 127.5
    graph, signatures = read_saved_model(done.path)
    assert set(signatures) == {'serving_default', 'floats'}
    drawn = {'RandomUniform', 'RandomUniformInt', 'StatelessRandomUniform'}
    assert not drawn & {node.op for node in graph.node}
    image = pair_pixels(7, 300, 200)
    first, second = run_signature(done.path, 'serving_default', image_bytes=[encoded(image)] * 2)
    assert first == second
    with pix2pix_tf.load(trained, dropout=0.0) as generator:
        expected = generator(image).astype(int)
    assert np.abs(np.asarray(Image.open(io.BytesIO(first))).astype(int) - expected).max() <= 2
    assert 'seed' not in (tmp_path / 'README.md').read_text()
    assert options_file.load(str(tmp_path)) == options_file.load(trained)


def test_a_saved_model_can_be_loaded(written, trained):
    image = pair_pixels(8, 100, 100)
    with pix2pix_tf.load(trained) as generator:
        wanted = generator(image, seed=1)
    for folder in (written, os.path.join(written, '2')):
        with pix2pix_tf.load(folder) as generator:
            np.testing.assert_array_equal(generator(image, seed=1), wanted)
            assert (generator.step, generator.config.ngf) == (2, 4)


def test_a_saved_model_has_only_ops_of_both_runtimes(written):
    """No ops that 1.15 lacks, and no matrix products, which suit only this machine's CPU."""
    graph, _ = read_saved_model(os.path.join(written, '2'))
    ops = {node.op for node in graph.node}
    assert {'Conv2D', 'Conv2DBackpropInput', 'StatelessRandomUniform', 'DecodePng'} <= ops
    assert not {'MatMul', 'DecodeImage', 'StatelessRandomUniformV2'} & ops
    assert not any('discriminator' in node.name or 'Adam' in node.name for node in graph.node)


def test_the_card_and_the_options_are_written_beside_it(written, trained):
    with open(os.path.join(written, 'README.md')) as file:
        card = file.read()
    assert 'Transparent parts of an image file become white' in card
    assert card.startswith(
        '---\nlicense: unknown\npipeline_tag: image-to-image\ntags:\n- pix2pix\n'
    )
    data = options_file.load_data(trained).folder
    assert f'| Data | {os.path.basename(data)} |' in card
    assert '| Training steps | 2 |' in card and '| Image size | 256x256 pixels |' in card
    assert options_file.load(written) == options_file.load(trained)


def test_the_card_describes_all_formats_of_a_folder(source, tmp_path):
    (tmp_path / '.converting-left').mkdir()  # of a conversion that was killed
    (tmp_path / '.converting-left' / 'model.tflite').write_bytes(b'x')
    convert.convert(source, 'saved_model', str(tmp_path))
    convert.convert(source, 'tflite', str(tmp_path))
    card = (tmp_path / 'README.md').read_text()
    assert '- pix2pix\n- image-to-image\n- saved_model\n- tflite\n---\n' in card
    assert '\n- **saved_model**: `2`, step 2: Signatures: ' in card and 'EXIF' in card
    assert card.count('\n- **tflite**: `model.tflite`, step 2: Input and output are') == 1
    assert sorted(os.listdir(str(tmp_path))) == ['2', 'README.md', 'model.tflite', 'options.json']
    os.remove(str(tmp_path / 'model.tflite'))
    shutil.rmtree(str(tmp_path / '2'))
    convert.convert(source, 'tflite', str(tmp_path))
    card = (tmp_path / 'README.md').read_text()
    assert 'saved_model' not in card and card.count('- **tflite**') == 1


def test_other_graphs_keep_the_fast_ops(written):
    with tf.Graph().as_default():
        kernels.conv2d(tf.zeros([1, 2, 2, 256]), tf.zeros([4, 4, 256, 256]), 2)
        types = {op.type for op in tf.get_default_graph().get_operations()}
    assert 'MatMul' in types


@pytest.mark.parametrize(
    'weights, limit',
    [('float32', 1e-4), pytest.param('float16', 0.02, marks=pytest.mark.slow), ('int8', 0.2)],
)
def test_tflite(source, tmp_path, weights, limit):
    path = os.environ['PATH']
    done = convert.convert(source, 'tflite', str(tmp_path / 'to'), weights)
    assert os.environ['PATH'] == path
    assert 0 <= done.difference <= limit
    assert sorted(os.listdir(str(tmp_path / 'to'))) == ['README.md', 'model.tflite', 'options.json']


@pytest.mark.parametrize('masks', [False, True])
@pytest.mark.parametrize('weights, limit', [('float32', 1e-4), ('float16', 0.02), ('int8', 0.2)])
def test_onnx(source, tmp_path, weights, limit, masks):
    onnx = pytest.importorskip('onnx')
    done = convert.convert(source, 'onnx', str(tmp_path / 'to'), weights, masks)
    model = onnx.load(done.path)
    onnx.checker.check_model(model)
    card = (tmp_path / 'to' / 'README.md').read_text()
    assert ('`mask_8`, `mask_7` and `mask_6` are the noise' in card) == masks
    names = ['input'] + (['mask_8', 'mask_7', 'mask_6'] if masks else [])
    assert [value.name for value in model.graph.input] == names
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    assert {'float32': 1, 'float16': 10, 'int8': 3}[weights] in kinds
    if convert.importlib.util.find_spec('onnxruntime'):
        assert 0 <= done.difference <= limit
    else:
        assert done.difference is None
