"""A trained generator as a function of images."""

import os
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from support.encoding import encoded
from support.helpers import NARROW, export, pair_pixels

import pix2pix_tf
from pix2pix_tf import checkpoints, training
from pix2pix_tf.evaluation.evaluator import Measures
from pix2pix_tf.inference import tiling
from pix2pix_tf.inference.trained import BATCH_SIZE, find
from pix2pix_tf.system.errors import CheckpointError, Pix2PixError, UsageError


@pytest.fixture(scope='module')
def generator(trained, graph_mode):
    with pix2pix_tf.load(trained) as generator:
        yield generator


@pytest.fixture
def image():
    return pair_pixels(9, 300, 200)


def test_outputs_equal_those_of_an_export(pairs, trained, generator, tmp_path):
    """From a JPEG file to the bytes of a PNG file."""
    out = str(tmp_path / 'out')
    shutil.copytree(trained, out)
    result = export(pairs, out, measures=Measures(samples=2), seed=7)
    for name in ('1', '2'):
        with open(os.path.join(pairs, name + '.jpg'), 'rb') as file:
            pair = generator.read(file.read())
        half = pair.crop((pair.width // 2, 0, pair.width, pair.height))
        outputs = generator(np.asarray(half), seed=7, samples=2)
        for number, output in enumerate(outputs, 1):
            ending = '.png' if number == 1 else '-2.png'
            with open(os.path.join(result.image_dir, f'{name}-outputs{ending}'), 'rb') as file:
                assert generator.encode(output) == file.read()


def test_the_result_has_the_type_of_the_image(generator, image):
    single = generator(image, seed=1)
    assert (single.dtype, single.shape) == (np.uint8, (256, 256, 3))
    picture = generator(Image.fromarray(image), seed=1)
    np.testing.assert_array_equal(np.asarray(picture), single)
    batch = generator(np.stack([image, 255 - image]), seed=1)
    assert batch.shape == (2, 256, 256, 3)
    np.testing.assert_array_equal(batch[0], single)
    assert np.abs(batch[1].astype(int) - single).max() > 20
    several = generator(np.stack([image, 255 - image]), seed=1, samples=2)
    assert several.shape == (2, 2, 256, 256, 3)
    np.testing.assert_array_equal(several[:, 0], batch)
    pictures = generator(Image.fromarray(image), seed=1, samples=2)
    np.testing.assert_array_equal(np.asarray(pictures[1]), several[0, 1])


def test_noise_depends_on_the_seed(generator, image):
    one, same, other = (generator(image, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert (generator(image) != generator(image)).any()
    samples = generator(image, seed=1, samples=2)
    np.testing.assert_array_equal(samples[0], one)
    assert (samples[1] != one).any()


@pytest.mark.parametrize('size', [(1, 1), (40, 300), (256, 256), (300, 700)])
def test_fit_whole_keeps_the_size(generator, size):
    image = pair_pixels(3, *size[::-1])
    assert generator(image, seed=1, fit='whole').shape == image.shape


def test_fit_whole_pads_by_reflection_and_crops_the_output(generator):
    image = pair_pixels(4, 256, 200)
    padded = np.concatenate([image, image[-2:-58:-1]])
    np.testing.assert_array_equal(
        generator(image, seed=2, fit='whole'), generator(padded, seed=2)[:200]
    )


def test_tiles_show_no_seam(generator):
    """The largest step between two neighbors is no larger at the edge of a tile than elsewhere."""
    image = pair_pixels(5, 700, 256)
    output = generator(image, seed=3, fit='whole', tile=256).astype(int)
    assert output.shape == image.shape
    steps = np.abs(np.diff(output, axis=1)).max(axis=(0, 2))
    edges = [222 - 1, 256 - 1, 444 - 1, 222 + 256 - 1]  # of the tiles at 0, 222 and 444
    inside = np.delete(steps, edges)
    assert steps[edges].max() <= inside.max()


def test_several_threads_get_the_same_outputs_as_one(generator):
    images = [pair_pixels(number, 64, 64) for number in range(8)]
    expected = [generator(image, seed=1) for image in images]
    results = [None] * len(images)

    def work(number):
        size = 'scale' if number % 2 else 'whole'  # which builds a network
        results[number] = generator(images[number], seed=1)
        generator(pair_pixels(number, 64 + 256 * number, 64), seed=1, fit=size)

    threads = [threading.Thread(target=work, args=[number]) for number in range(len(images))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result, wanted in zip(results, expected):
        np.testing.assert_array_equal(result, wanted)


def test_a_model_is_a_folder_or_a_checkpoint(trained, generator, image):
    wanted = generator(image, seed=1)
    for model in (
        trained + '/',
        checkpoints.latest(trained),
        checkpoints.latest(trained) + '.index',
    ):
        with pix2pix_tf.load(model) as other:
            np.testing.assert_array_equal(other(image, seed=1), wanted)
            assert other.step == 2


def test_missing_and_damaged_models_are_errors(tmp_path, trained):
    with pytest.raises(CheckpointError, match=f'no checkpoint in the folder {tmp_path}'):
        pix2pix_tf.load(str(tmp_path))
    with pytest.raises(CheckpointError, match='no folder and no checkpoint .*/nothing'):
        pix2pix_tf.load(str(tmp_path / 'nothing'))
    damaged = tmp_path / 'damaged'
    shutil.copytree(trained, str(damaged))
    for data in damaged.glob('model-*.data*'):
        data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match='cannot read the checkpoint'):
        pix2pix_tf.load(str(damaged))
    with pytest.raises(CheckpointError, match='does not fit'):
        pix2pix_tf.load(trained, ngf=8)
    for value in (5, None, 0.5, ['a'], 'a\0b', b'a\0b'):
        with pytest.raises(UsageError, match='`model` is '):
            pix2pix_tf.load(value)


@pytest.mark.parametrize(
    'options, words',
    [
        ({'fit': 'both'}, '`fit` is both'),
        ({'samples': 0}, '`samples` is 0'),
        ({'seed': -1}, '`seed` is -1'),
        ({'seed': 1.5}, '`seed` is 1.5'),
        ({'tile': 256}, '`tile` requires `fit`=whole'),
        ({'fit': 'whole', 'tile': 300}, '`tile` is 300: it must be a multiple of 256'),
    ],
)
def test_arguments_are_checked(generator, image, options, words):
    with pytest.raises(UsageError, match=words):
        generator(image, **options)


@pytest.mark.parametrize(
    'wrong',
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), 'a.png'],
)
def test_arguments_other_than_images_are_rejected(generator, wrong):
    with pytest.raises(UsageError, match='the image is'):
        generator(wrong)


def test_a_closed_generator_raises_an_error(trained, image):
    with pix2pix_tf.load(trained) as generator:
        generator(image)
    with pytest.raises(RuntimeError):
        generator(image)


def test_rectangular_images_are_trained_exported_and_predicted(pairs, tmp_path):
    """Trained, exported and predicted as 512x256, width x height."""
    out = str(tmp_path)
    config = replace(NARROW, crop_size='512x256', scale_size='572x286', max_steps=1)
    training.train(pairs, out, config)
    result = export(pairs, out, seed=1)
    written = Image.open(os.path.join(result.image_dir, '1-outputs.png'))
    assert written.size == (512, 256)
    with open(result.page) as page:
        assert 'width="512" height="256"' in page.read()
    with pix2pix_tf.load(out) as generator:
        source = Image.open(os.path.join(result.image_dir, '1-inputs.png'))
        np.testing.assert_array_equal(generator(source, seed=1), np.asarray(written))
        assert generator.config.crop_size == (256, 512)


def test_a_trained_generator_has_the_options_of_its_training(trained):
    config = find(trained).config
    assert (config.ngf, config.batch_size, config.seed) == (4, BATCH_SIZE, None)
    with pytest.raises(Pix2PixError, match='`crop_size` is 100'):
        find(trained, crop_size=100)


def test_a_generator_adds_nothing_to_the_default_graph(generator):
    with tf.Graph().as_default() as graph:
        generator(pair_pixels(1, 32, 32))
        assert not graph.get_operations()


def test_the_tile_size_is_set_when_loading(trained, monkeypatch):
    """So that a seed always returns the same pixels, even if the free memory changes."""
    pixels = pair_pixels(1, 600, 300)
    monkeypatch.setattr(tiling.machine, 'free_memory', lambda: 0)
    with pix2pix_tf.load(trained) as generator:
        first = generator(pixels, seed=1, fit='whole')
        monkeypatch.setattr(tiling.machine, 'free_memory', lambda: 2**40)
        np.testing.assert_array_equal(generator(pixels, seed=1, fit='whole'), first)
    with pix2pix_tf.load(trained) as generator:
        assert (generator(pixels, seed=1, fit='whole') != first).any()


def test_too_little_memory_for_the_variables_is_explained(trained, monkeypatch):
    def fail(*_):
        raise tf.errors.ResourceExhaustedError(None, None, 'OOM when allocating a tensor')

    monkeypatch.setattr(tf.train.Saver, 'restore', fail)
    with pytest.raises(Pix2PixError, match='out of memory'):
        pix2pix_tf.load(trained)


@pytest.mark.parametrize('mode', ['RGBA', 'LA', 'P', 'I;16'])
def test_a_pillow_image_gets_the_output_of_its_file(generator, image, mode):
    """Alpha is flattened on white, 16 bits become 8."""
    picture = Image.fromarray(image)
    if mode == 'I;16':
        picture = Image.fromarray(image[..., 0].astype(np.uint16) * 257)
    elif mode == 'P':
        picture = picture.quantize(16)
        picture.info['transparency'] = 3
    else:
        picture = picture.convert(mode)
        picture.putalpha(Image.fromarray(image[..., 1]))
    expected = generator(generator.read(encoded(picture)), seed=1)
    np.testing.assert_array_equal(np.asarray(generator(picture, seed=1)), np.asarray(expected))


def test_the_seed_of_the_options_is_the_default(trained, generator, image):
    with pix2pix_tf.load(trained, seed=3) as seeded:
        outputs = [seeded(image), seeded(image), seeded(image, seed=4)]
    np.testing.assert_array_equal(outputs[0], generator(image, seed=3))
    np.testing.assert_array_equal(outputs[1], outputs[0])
    assert (outputs[2] != outputs[0]).any()
