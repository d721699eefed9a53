"""ONNX files as models: in onnxruntime and in TensorFlow's graph, and names in the package."""

import dataclasses
import importlib.util
import os
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from support.helpers import contents, export, pair_pixels, run_process

import pix2pix_tf
from pix2pix_tf import dataset, exporting
from pix2pix_tf.config import Config
from pix2pix_tf.inference import masks, onnx_file
from pix2pix_tf.inference import trained as trained_models
from pix2pix_tf.inference.generator import Generator
from pix2pix_tf.inference.tensorflow_network import TensorFlowNetwork
from pix2pix_tf.inference.trained import find
from pix2pix_tf.pairs import palette
from pix2pix_tf.serve import canvas
from pix2pix_tf.system.errors import CheckpointError, Pix2PixError, UsageError

onnx = pytest.importorskip('pix2pix_tf.convert.onnx')  # the library is missing on Python 3.6

HAS_ONNXRUNTIME = importlib.util.find_spec('onnxruntime') is not None
in_onnxruntime = pytest.mark.skipif(not HAS_ONNXRUNTIME, reason='no onnxruntime')

pytestmark = pytest.mark.post_networks


@pytest.fixture(scope='module')
def files(source, tmp_path_factory):
    """A folder of ONNX files: {weights}-{masks}.onnx."""
    folder = tmp_path_factory.mktemp('onnx')
    for weights, has_masks in (('float32', True), ('float32', False), ('int8', True)):
        onnx.write(source, str(folder / f'{weights}-{has_masks}.onnx'), weights, has_masks)
    return folder


@pytest.fixture(scope='module')
def image():
    return pair_pixels(3, 300, 200)


def test_the_graph_of_a_file_of_float32_returns_what_the_checkpoint_returns(
    files, trained, source, image
):
    found = find(str(files / 'float32-True.onnx'))
    assert (found.step, found.config) == (2, source.config)
    with pix2pix_tf.load(trained) as generator:
        expected = [generator(image, seed=1), generator(image, seed=1, fit='whole')]
    with Generator(found, TensorFlowNetwork(found)) as generator:
        np.testing.assert_array_equal(generator(image, seed=1), expected[0])
        np.testing.assert_array_equal(generator(image, seed=1, fit='whole'), expected[1])


@in_onnxruntime
@pytest.mark.parametrize('name', ['float32-True', 'int8-True', 'float32-False'])
def test_onnxruntime_and_tensorflow_agree_without_noise(files, image, name):
    changes = {} if name.endswith('False') else {'dropout': 0.0}
    found = find(str(files / f'{name}.onnx'), **changes)
    with pix2pix_tf.load(str(files / f'{name}.onnx'), **changes) as one, Generator(
        found, TensorFlowNetwork(found)
    ) as other:
        for options in ({}, {'fit': 'whole'}, {'fit': 'whole', 'tile': 256}):
            got, wanted = (run(image, **options).astype(int) for run in (one, other))
            assert got.shape == wanted.shape and got.std() > 5
            assert np.abs(got - wanted).max() <= 1  # 1e-4 may fall on the other side of a half
        assert one.encode(got.astype(np.uint8))[:4] == b'\x89PNG'


@in_onnxruntime
def test_with_the_masks_of_tensorflow_onnxruntime_agrees_within_1e_4(files, source, image):
    from pix2pix_tf.convert import convert
    from pix2pix_tf.inference import onnx_network

    floats = onnx_network.scale(onnx_network.to_floats(image), (256, 256))
    found = find(str(files / 'float32-True.onnx'))
    inputs, [wanted] = convert._run_checkpoint(found, floats[None], [4], True)
    drawn = {name: inputs[name] for name in masks.NAMES}
    network = onnx_network.OnnxNetwork(found)
    got = network._run({'input': floats[None], **drawn}, 'image')[0]
    assert np.abs(got - wanted).max() < 1e-4


@in_onnxruntime
def test_in_onnxruntime_a_seed_repeats_the_noise(files, image):
    with pix2pix_tf.load(str(files / 'int8-True.onnx')) as generator:
        first = generator(image, seed=1)
        np.testing.assert_array_equal(generator(image, seed=1), first)
        assert (generator(image, seed=2) != first).any()
        assert (generator(image) != generator(image)).any()
        samples = generator(image, seed=1, samples=2)
        np.testing.assert_array_equal(samples[0], first)
        assert (samples[1] != first).any()
    with pytest.raises(RuntimeError):
        generator(image)


def test_an_export_takes_a_file_and_never_a_name_for_its_folder(
    files, pairs, trained, tmp_path, monkeypatch
):
    exported = [export(pairs, str(tmp_path / 'a'), trained, seed=1)]
    exported.append(export(pairs, str(tmp_path / 'b'), str(files / 'float32-True.onnx'), seed=1))
    first, second = (contents(result.image_dir) for result in exported)
    assert first == second and len(first) == 15
    monkeypatch.setattr(trained_models, 'SHIPPED', str(files))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match='there is no folder and no checkpoint ./int8-True'):
        exporting.export(pairs, 'int8-True')


def test_masks_depend_on_pixels_and_seed_and_keep_half():
    black, white = np.full((2, 256, 256, 3), -1, np.float32)
    white[0, 0, 0] = -1 + 1 / 127.5
    seeds = [masks.image_seed(black, 1), masks.image_seed(black, 2), masks.image_seed(white, 1)]
    drawn = [masks.draw(seed, (256, 512), 4, 0.25) for seed in seeds]
    assert {name: mask.shape for name, mask in drawn[0].items()} == {
        'mask_8': (1, 2, 4, 32),
        'mask_7': (1, 4, 8, 32),
        'mask_6': (1, 8, 16, 32),
    }
    assert set(drawn[0]['mask_6'].ravel()) == {0, np.float32(1 / 0.75)}
    assert abs(drawn[0]['mask_6'].mean() - 1) < 0.05
    for other in drawn[1:]:
        assert (drawn[0]['mask_6'] != other['mask_6']).any()
    assert set(masks.draw(seeds[0], (256, 256), 4, 0.0)['mask_8'].ravel()) == {1}


@in_onnxruntime
@pytest.mark.parametrize('size', [(200, 300), (700, 100), (257, 255), (3, 5)])
def test_images_are_scaled_as_in_an_export(graph, size):
    from pix2pix_tf.inference import onnx_network

    pixels = pair_pixels(1, *size[::-1])
    with tf.Session() as session:
        wanted = session.run(dataset.process_image(tf.constant(pixels), None, Config()))
    got = onnx_network.scale(onnx_network.to_floats(pixels), (256, 256))
    assert np.abs(got - wanted).max() < 1e-5


def test_what_a_file_fixes_cannot_be_changed(files):
    for name, value in (('ngf', 8), ('leak', 0.1), ('variance_epsilon', 1e-3)):
        with pytest.raises(UsageError, match=f'`{name}` cannot be changed: it is a part of '):
            find(str(files / 'float32-True.onnx'), **{name: value})
    with pytest.raises(UsageError, match='has no noise, so `dropout` must be 0'):
        find(str(files / 'float32-False.onnx'), dropout=0.5)
    assert find(str(files / 'float32-False.onnx')).config.dropout == 0
    assert find(str(files / 'float32-True.onnx'), crop_size=512).config.crop_size == (512, 512)


def test_other_files_are_refused_by_name(files, tmp_path):
    whole = (files / 'int8-True.onnx').read_bytes()
    key = onnx_file.KEY.encode()
    description = whole[whole.rindex(key) :]
    foreign = tmp_path / 'foreign.onnx'
    for data, words in (
        (whole.replace(key + description[len(key) :], b''), 'is not an ONNX file of pix2pix_tf'),
        (whole.replace(b'"step": 2', b'"step": x'), 'cannot read .*foreign.onnx'),
        (whole.replace(b'"ngf": 4', b'"ngf": 0'), 'cannot use the options in .*"ngf" is 0'),
        (whole.replace(b'"ngf": 4', b'"ngf": 5'), 'does not fit|cannot run'),
        (whole[:-50], 'is not an ONNX file of pix2pix_tf'),
        (b'not protobuf', 'is not an ONNX file of pix2pix_tf'),
        (b'\xff' * 50, 'is not an ONNX file of pix2pix_tf'),
        (b'', 'is not an ONNX file of pix2pix_tf'),
    ):
        foreign.write_bytes(data)
        with pytest.raises(Pix2PixError, match=words) as error:
            pix2pix_tf.load(str(foreign))(pair_pixels(1, 64, 64), seed=1)
        assert str(foreign) in str(error.value) and '\n' not in str(error.value)


def test_no_cut_or_changed_byte_is_more_than_one_line(files, tmp_path):
    """Of the files of strangers: what is read of them ends in a CheckpointError, or is read."""
    whole = (files / 'int8-True.onnx').read_bytes()
    rng, broken = np.random.RandomState(1), tmp_path / 'broken.onnx'
    for at in rng.randint(0, len(whole), 40):
        changed = bytearray(whole)
        changed[at] ^= 1 + rng.randint(255)
        for data in (whole[:at], bytes(changed), whole[-2000:][: at % 2000]):
            broken.write_bytes(data)
            for read in (onnx_file.read, onnx_file.read_weights):
                try:
                    read(str(broken))
                except CheckpointError as error:
                    assert str(broken) in str(error)


@pytest.fixture
def shipped(files, tmp_path, monkeypatch):
    """The name of a generator in the package, and a working folder with a folder of that name."""
    monkeypatch.setattr(trained_models, 'SHIPPED', str(files))
    (tmp_path / 'int8-True').mkdir()
    monkeypatch.chdir(tmp_path)
    return 'int8-True'


def test_a_name_comes_before_a_path_unless_it_is_written_as_one(shipped, files):
    assert find(shipped).checkpoint == str(files / 'int8-True.onnx')
    with pytest.raises(CheckpointError, match='no checkpoint in the folder ./int8-True'):
        find('./' + shipped)
    with pytest.raises(
        CheckpointError,
        match='there is no model int9: it is not here, and the generators of this package are: '
        'float32-False, float32-True, int8-True',
    ):
        find('int9')


@pytest.mark.parametrize('name', trained_models.shipped())
def test_a_generator_of_the_package_is_small_and_complete(name):
    path = trained_models.shipped()[name]
    assert os.path.getsize(path) <= 15 * 10**6
    assert os.path.exists(path[: -len('.onnx')] + '.md')
    assert find(name).config.dropout > 0
    drawing = canvas.prepare(find(name))
    assert drawing.palette.kind != palette.UNKNOWN and len(drawing.examples) >= 4
    with pix2pix_tf.load(name) as generator:
        output = generator(generator.read(drawing.examples[0]), seed=1)
    assert np.asarray(output).std() > 10


def test_a_folder_with_an_onnx_file_is_that_file_unless_it_has_a_training(source, tmp_path):
    onnx.write(source, str(tmp_path / 'model.onnx'))
    assert find(str(tmp_path)).is_onnx
    (tmp_path / 'checkpoint').write_text('')
    with pytest.raises(CheckpointError, match='cannot read .*/checkpoint'):
        find(str(tmp_path))


def test_a_file_has_the_palette_and_the_examples_of_its_training(source, pairs, tmp_path):
    drawing = canvas.prepare(source)
    path = str(tmp_path / 'model.onnx')
    onnx.write(source, path, canvas=drawing.embedded())
    assert canvas.prepare(find(path)) == drawing
    assert len(canvas.prepare(find(path), most_examples=1).examples) == 1
    onnx.write(source, path)
    assert canvas.prepare(find(path)).palette == palette.PLAIN
    for changes in (
        {'palette': [['red; x', 'red']]},
        {'sheet': [[2, '#000000']]},
        {'kind': 'x'},
        {'examples': ['?']},
        {'palette': 1},
    ):
        onnx.write(source, path, canvas=dict(drawing.embedded(), **changes))
        with pytest.raises(CheckpointError, match='palette or examples that cannot be used'):
            canvas.prepare(find(path))


def test_examples_beyond_half_a_megabyte_stay_out(source):
    drawing = canvas.prepare(source)._replace(examples=[bytes(2**18), bytes(2**19), bytes(2**18)])
    assert [len(one) * 3 // 4 // 2**17 for one in drawing.embedded()['examples']] == [2, 2]


def test_a_file_is_converted_like_a_checkpoint(files, source, forked_checks, tmp_path):
    from pix2pix_tf.convert import convert

    found = find(str(files / 'int8-True.onnx'))
    done = convert.convert(found, 'saved_model', str(tmp_path / 'to'))
    assert done.difference <= 2 / 127.5
    assert find(str(tmp_path / 'to')).config == dataclasses.replace(found.config)
    again = onnx.build(found, 'int8', masks=True).graph.initializer
    first = onnx.onnx.load(found.checkpoint).graph.initializer
    assert [one.SerializeToString() for one in again] == [one.SerializeToString() for one in first]


WITHOUT = """
import sys
sys.modules['tensorflow'] = None
import pix2pix_tf
from pix2pix_tf.cli import main
try:
    main.run('predict', sys.argv[1:])
except SystemExit as end:
    assert end.code == 0
assert not [name for name in sys.modules if name.startswith('tensorflow.')]
"""


@in_onnxruntime
def test_a_prediction_in_onnxruntime_needs_no_tensorflow(files, tmp_path):
    from PIL import Image

    Image.fromarray(pair_pixels(1, 64, 64)).save(str(tmp_path / 'a.png'))
    flags = [f'--model={files}/int8-True.onnx', f'--to={tmp_path}/to', str(tmp_path / 'a.png')]
    result = run_process(sys.executable, '-c', WITHOUT, *flags, '--seed=1')
    assert (result.returncode, result.stderr) == (0, '')
    assert os.path.exists(str(tmp_path / 'to' / 'a.png'))
