"""Folders with more than plain pairs: other formats, rotated photos, odd names and sizes."""

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image, features
from support.helpers import pair_pixels, write_pair

from pix2pix_tf import dataset, exporting, images, training
from pix2pix_tf.config import Config
from pix2pix_tf.pairs import find
from pix2pix_tf.system.errors import DataError

ORIENTATION = 0x0112  # an EXIF tag


def fault_of(path):
    return find.read_header(str(path)).fault


def refused(call, *args, **options):
    """The message of the DataError that `call` raises."""
    with pytest.raises(DataError) as error:
        call(*args, **options)
    return str(error.value)


def test_a_jpeg_with_a_second_image_inside_is_its_first_image(tmp_path, graph):
    first, second = (Image.fromarray(pair_pixels(seed, 128, 64)) for seed in (1, 2))
    path, plain = tmp_path / 'phone.jpg', tmp_path / 'plain.jpg'
    first.save(str(path), 'MPO', save_all=True, append_images=[second])
    first.save(str(plain), 'JPEG')
    with Image.open(str(path)) as image:
        assert (image.format, image.n_frames) == ('MPO', 2)
    assert find.find_pairs(str(tmp_path)).sizes == [(128, 64)] * 2
    with tf.Session() as session:
        decoded = [
            session.run(dataset.decode_image(tf.read_file(str(name)))) for name in (path, plain)
        ]
    np.testing.assert_array_equal(*decoded)
    assert np.abs(decoded[0].astype(int) - np.array(first)).mean() < 10


def with_exif(path, exif):
    Image.fromarray(pair_pixels(1)).save(str(path), exif=exif)
    return fault_of(path)


def oriented(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif.tobytes()


@pytest.mark.parametrize('extension', ['jpg', 'png'])
def test_an_image_that_viewers_rotate_is_rejected_with_the_remedy(tmp_path, extension):
    path = tmp_path / f'1.{extension}'
    for orientation in range(2, 9):
        fault = with_exif(path, oriented(orientation))
        assert f'has the EXIF orientation {orientation}: ' in fault
        assert 'save it upright, for example with `mogrify -auto-orient`' in fault
    assert f'{path} has the EXIF orientation 8' in refused(find.find_pairs, str(tmp_path))
    for exif in (oriented(1), oriented(0), oriented(9), b'Exif\0\0damaged', oriented(6)[:20]):
        assert with_exif(path, exif) is None
    assert find.find_pairs(str(tmp_path)).paths == [str(path)]


@pytest.mark.parametrize('mode', ['RGB', 'L'])
def test_a_transparent_color_is_rejected_with_the_remedy(tmp_path, mode):
    """The decoder of TensorFlow leaves it out; it reads alpha channels and palettes."""
    image, path = Image.fromarray(pair_pixels(1)).convert(mode), tmp_path / '1.png'
    image.save(str(path), transparency=(1, 2, 3) if mode == 'RGB' else 1)
    assert '`mogrify -background white -alpha remove`' in fault_of(path)
    for other in (image.convert('RGBA'), image.convert('LA')):
        other.save(str(path))
        assert fault_of(path) is None
    image.convert('P').save(str(path), transparency=b'\0\1')
    assert fault_of(path) is None


def test_names_that_begin_with_a_dot_are_not_images(tmp_path):
    write_pair(tmp_path / '1.jpg')
    (tmp_path / '._1.jpg').write_bytes(b'of macOS')
    (tmp_path / '.2.bmp').write_bytes(b'')
    pairs = find.find_pairs(str(tmp_path))
    assert pairs.paths == [str(tmp_path / '1.jpg')]
    assert pairs.notes == []


def test_other_formats_are_left_out_with_a_line_that_counts_and_names_them(tmp_path):
    write_pair(tmp_path / '1.jpg')
    others = ['a.BMP', 'b.gif', 'c.webp', 'd.tif', 'e.tiff']
    for name in others:
        (tmp_path / name).write_bytes(b'')
    paths, [note] = find.find_images(str(tmp_path))
    assert paths == [str(tmp_path / '1.jpg')]
    assert note == (
        f'leaving out 5 files of {tmp_path} that are not JPEG or PNG: {", ".join(others)}; '
        'convert them to use them'
    )
    for name in others[1:]:
        os.remove(str(tmp_path / name))
    assert 'leaving out 1 file of' in find.find_images(str(tmp_path))[1][0]


def test_the_message_for_a_folder_without_images_names_its_contents(tmp_path):
    assert f'no JPEG or PNG image in {tmp_path}: it is empty' in refused(
        find.find_pairs, str(tmp_path)
    )
    for name in ('train', 'val'):
        write_pair(tmp_path / name / '1.jpg')
    message = refused(find.find_pairs, str(tmp_path))
    assert 'it has only folders (train, val); choose the one with the images' in message
    for name in ('1.webp', '2.webp', 'notes'):
        (tmp_path / name).write_bytes(b'')
    message = refused(find.find_pairs, str(tmp_path))
    assert '2 .webp' in message and 'convert images to JPEG or PNG' in message


@pytest.mark.skipif(not features.check('webp'), reason='this Pillow has no WebP')
def test_a_webp_named_jpg_is_named_as_such(tmp_path):
    Image.fromarray(pair_pixels(1)).save(str(tmp_path / '1.jpg'), 'WEBP')
    assert fault_of(tmp_path / '1.jpg') == 'is a WEBP file, not JPEG or PNG'


@pytest.mark.parametrize(
    'sizes, words',
    [
        ([(64, 64), (64, 128), (64, 32)], 'are they single images? A pair has two images'),
        ([(192, 64), (194, 64), (64, 32)], 'do they have three images? A pair has two'),
        ([(64, 64), (96, 32), (64, 32)], None),
        ([(64, 64), (64, 32)], None),
    ],
)
def test_folders_of_single_or_triple_images_are_questioned(tmp_path, sizes, words):
    for number, (width, height) in enumerate(sizes):
        write_pair(tmp_path / f'{number}.png', width=width, height=height)
    pairs = find.find_pairs(str(tmp_path))
    assert len(pairs.paths) == len(sizes)
    if words is None:
        assert pairs.notes == []
    else:
        [note] = pairs.notes
        assert note.startswith(f'most files in {tmp_path} are ') and words in note


@pytest.mark.parametrize('size', [(4098, 4096), (16382, 1026), (1026, 16384), (30000, 600)])
def test_the_message_for_too_many_pixels_names_a_size_that_fits(tmp_path, size):
    path = tmp_path / '1.png'
    Image.new('L', size).save(str(path))
    words = f'has {size[0]}x{size[1]} pixels, more than {2**24}: scale it down to '
    fault = fault_of(path)
    assert fault.startswith(words)
    width, height = map(int, fault[len(words) :].split('x'))
    assert abs(width / height / (size[0] / size[1]) - 1) < 0.01
    assert width * height > 0.99 * 2**24
    Image.new('L', (width, height)).save(str(path))
    assert fault_of(path) is None


LONGEST = 241  # bytes of a name without its extension for which '-outputs-1.png' still fits


def test_a_name_that_is_too_long_is_refused_before_anything_is_written(pairs, trained, tmp_path):
    folder, out = tmp_path / 'val', str(tmp_path / 'out')
    write_pair(folder / '1.jpg')
    longest, too_long = folder / ('x' * LONGEST + '.jpg'), folder / ('ä' * 121 + '.jpg')
    write_pair(longest)
    checkpoint = os.path.join(trained, 'model-2')
    config = exporting.find_trained(trained).config
    assert str(longest) in exporting.find_test_set(str(folder)).paths
    write_pair(too_long)
    for call in (
        lambda: exporting.export(str(folder), out, config, checkpoint),
        lambda: training.train(pairs, out, Config(ngf=4, ndf=4), val_data=str(folder)),
    ):
        message = refused(call)
        assert f'{too_long} has too long a name for ' in message
        assert 'shorten it by 1 byte' in message
    assert not os.path.exists(out)


COLORS = np.array([[0, 0, 170], [0, 85, 255], [170, 255, 85], [1, 2, 254]], np.uint8)


@pytest.mark.parametrize('training_', [True, False])
def test_flat_label_colors_are_kept_where_nothing_is_scaled(tmp_path, graph, training_):
    labels = COLORS[np.random.RandomState(3).randint(0, 4, (256, 256))]
    photo = np.random.RandomState(4).randint(0, 256, (256, 256, 3)).astype(np.uint8)
    path = tmp_path / '1.png'
    Image.fromarray(np.concatenate([photo, labels], axis=1)).save(str(path))
    config = Config(scale_size=256, num_threads=1)
    batches = dataset.load_data([str(path)], config, training=training_)
    pixels = [images.deprocess_image(image) for image in (batches.inputs, batches.targets)]
    with tf.Session() as session:
        session.run(tf.local_variables_initializer())
        coordinator = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(session, coordinator)
        inputs, targets = session.run(pixels)
        coordinator.request_stop()
        coordinator.join(threads)
    np.testing.assert_array_equal(inputs[0], labels)
    np.testing.assert_array_equal(targets[0], photo)
