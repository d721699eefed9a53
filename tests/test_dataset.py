import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from support.encoding import encoded
from support.evaluating import evaluate
from support.helpers import pair_pixels

from pix2pix_tf import dataset
from pix2pix_tf.config import Config
from pix2pix_tf.pairs import find, read


def run_batches(batches, count):
    """The values of `count` batches; fails if the queue runners do not end."""
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        coordinator = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(session, coordinator)
        fetches = [batches.paths, batches.inputs, batches.targets]
        values = [session.run(fetches) for _ in range(count)]
        coordinator.request_stop()
        coordinator.join(threads)
    return values


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'L', 'P'])
def test_png_of_any_mode_becomes_rgb(graph, tmp_path, mode):
    image = Image.fromarray(pair_pixels(3)).convert(mode)
    image.save(str(tmp_path / '1.png'))
    got = evaluate(dataset.decode_image(tf.read_file(str(tmp_path / '1.png'))))
    np.testing.assert_array_equal(got, np.array(image.convert('RGB')))


def test_transparent_parts_become_white_with_the_pixels_of_pillow(graph):
    """All colors at all alphas: so a prediction has the bytes of an export."""
    levels = np.indices((256, 256)).astype(np.uint8)
    rgba = Image.fromarray(np.stack([levels[0], levels[0], 255 - levels[0], levels[1]], 2))
    palette = Image.fromarray(levels[0]).convert('P')
    palette.putpalette(bytes(range(256)) * 3)
    files = [encoded(rgba), encoded(rgba.convert('LA'))]
    files.append(encoded(palette, transparency=bytes(range(255, -1, -1))))
    contents = tf.placeholder(tf.string, [])
    decoded = dataset.decode_image(contents)
    assert decoded.shape.as_list() == [None, None, 3]
    with tf.Session() as session:
        for file in files:
            got = session.run(decoded, {contents: file})
            np.testing.assert_array_equal(got, np.array(read.read_image(file, 'x')))
            assert 256 <= (got == 255).all(axis=2).sum() < 2**12


@pytest.mark.parametrize('mode', ['RGB', 'L', 'CMYK'])
def test_jpeg_decodes_to_the_pixels_of_decode_jpeg(graph, tmp_path, mode):
    Image.fromarray(pair_pixels(4)).convert(mode).save(str(tmp_path / '1.jpg'))
    contents = tf.read_file(str(tmp_path / '1.jpg'))
    got, want = evaluate(
        [dataset.decode_image(contents), tf.image.decode_jpeg(contents, channels=3)]
    )
    assert got.shape == (32, 64, 3)
    np.testing.assert_array_equal(got, want)


def test_process_image_scales_range_and_size_and_crops_at_the_offset(graph):
    image = np.random.RandomState(5).randint(0, 256, (286, 286, 3)).astype(np.uint8)
    scaled = image / 127.5 - 1
    got = evaluate(dataset.process_image(tf.constant(image), tf.constant([7, 30])))
    np.testing.assert_allclose(got, scaled[7 : 7 + 256, 30 : 30 + 256], atol=1e-6)
    whole = evaluate(dataset.process_image(tf.constant(image[:256, :256]), None))
    np.testing.assert_allclose(whole, scaled[:256, :256], atol=1e-6)


@pytest.mark.parametrize('size', [(256, 256), (40, 700)])
def test_process_image_computes_what_the_post_does(graph, size):
    image = np.random.RandomState(6).randint(0, 256, size + (3,)).astype(np.uint8)
    got = dataset.process_image(tf.constant(image), tf.constant([30, 0]))
    want = tf.image.convert_image_dtype(tf.constant(image), tf.float32) * 2 - 1
    want = tf.image.resize_images(want, [286, 286], method=tf.image.ResizeMethod.AREA)
    want = tf.image.crop_to_bounding_box(want, 30, 0, 256, 256)
    got, want = evaluate([got, want])
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_offsets_reach_from_0_to_30(graph):
    tf.set_random_seed(2)
    offset = dataset.random_offset()
    with tf.Session() as session:
        drawn = np.array([session.run(offset) for _ in range(2000)])
    assert drawn.shape == (2000, 2)
    assert set(drawn.ravel()) == set(range(31))


def test_training_batches_hold_input_right_target_left(graph, tmp_path):
    pair = np.zeros((40, 80, 3), np.uint8)
    pair[:, 40:] = 255
    Image.fromarray(pair).save(str(tmp_path / '1.png'))
    batches = dataset.load_data(find.find_pairs(str(tmp_path)).paths, Config(batch_size=2))
    assert batches.inputs.get_shape().as_list() == [2, 256, 256, 3]
    assert batches.steps_per_epoch == 1
    [(paths, inputs, targets)] = run_batches(batches, 1)
    assert [os.fsdecode(path) for path in paths] == [str(tmp_path / '1.png')] * 2
    np.testing.assert_allclose(inputs, 1, atol=1e-4)
    np.testing.assert_allclose(targets, -1, atol=1e-4)


def test_every_training_epoch_shows_every_pair(graph, pairs):
    # With several threads, a pair may arrive late, in the next epoch
    batches = dataset.load_data(find.find_pairs(pairs).paths, Config(num_threads=1))
    assert batches.steps_per_epoch == 5
    shown = [paths[0] for paths, _, _ in run_batches(batches, 10)]
    assert len(set(shown[:5])) == len(set(shown[5:])) == 5


def test_many_threads_crop_both_halves_alike(graph, tmp_path):
    for number in range(4):
        half = pair_pixels(number, 300, 300)
        Image.fromarray(np.concatenate([half, half], axis=1)).save(str(tmp_path / f'{number}.png'))
    batches = dataset.load_data(find.find_pairs(str(tmp_path)).paths, Config(num_threads=8))
    corners = set()
    for _, inputs, targets in run_batches(batches, 200):
        assert np.array_equal(inputs, targets)
        corners.add(inputs[0, 0, 0].tobytes())
    assert len(corners) > 50  # and they are cropped at random


def test_one_coin_mirrors_both_halves_of_a_pair(graph, tmp_path):
    half = pair_pixels(1, 256, 256)
    Image.fromarray(np.concatenate([half, half], axis=1)).save(str(tmp_path / '1.png'))
    tf.set_random_seed(1)
    config = Config(flip=True, scale_size=256, num_threads=8)  # not cropped
    batches = dataset.load_data([str(tmp_path / '1.png')], config)
    mirrored = []
    for _, inputs, targets in run_batches(batches, 100):
        assert np.array_equal(inputs, targets)
        mirrored.append(np.abs(inputs[0] - (half / 127.5 - 1)).max() > 1e-4)
        shown = inputs[0, :, ::-1] if mirrored[-1] else inputs[0]
        np.testing.assert_allclose(shown, half / 127.5 - 1, atol=1e-6)
    assert 30 < sum(mirrored) < 70


def test_an_export_mirrors_nothing(graph, pairs):
    dataset.load_data(find.find_pairs(pairs).paths, Config(flip=True), training=False)
    assert not {'RandomUniform', 'ReverseV2'} & {op.type for op in graph.get_operations()}


def test_export_shows_each_pair_once_in_order_uncropped(graph, pairs):
    batches = dataset.load_data(
        find.find_pairs(pairs).paths, Config(batch_size=2, num_threads=4), training=False
    )
    assert batches.steps_per_epoch == 3
    values = run_batches(batches, 3)
    shown = [os.path.basename(os.fsdecode(path)) for paths, _, _ in values for path in paths]
    assert shown == ['1.jpg', '2.jpg', '3.jpg', '4.jpg', '5.jpg']
    assert [len(paths) for paths, _, _ in values] == [2, 2, 1]
    # Eight times enlarged: the corner of the image is the corner of the file
    corner = np.array(Image.open(os.path.join(pairs, '1.jpg')))[0, 32] / 127.5 - 1
    np.testing.assert_allclose(values[0][1][0, 0, 0], corner, atol=0.02)
    with tf.Session() as session:
        session.run(tf.local_variables_initializer())
        coordinator = tf.train.Coordinator()
        tf.train.start_queue_runners(session, coordinator)
        for _ in range(3):
            session.run(batches.paths)
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(batches.paths)
