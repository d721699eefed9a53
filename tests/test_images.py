import io
import os

import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image

from pix2pix_tf import images


def test_deprocess_inverts_the_scaling_and_saturates(graph):
    levels = np.arange(256, dtype=np.float32)
    scaled = tf.constant(np.concatenate([levels / 255 * 2 - 1, [-1.5, 1.5]]), tf.float32)
    with tf.Session() as session:
        got = session.run(images.deprocess_image(scaled))
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got[:256], levels)
    assert list(got[256:]) == [0, 255]


def test_pngs_contain_the_pixels(graph):
    pixels = np.random.RandomState(1).randint(0, 256, (2, 5, 7, 3)).astype(np.uint8)
    with tf.Session() as session:
        pngs = session.run(images.encode_pngs(tf.constant(pixels)))
    for png, want in zip(pngs, pixels):
        np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(png))), want)


def test_names_lose_their_extensions_unless_two_would_be_equal():
    names = images.output_names(['d/1.jpg', 'd/2.jpg', 'd/2.png', 'd/a.b.png'])
    assert list(names.values()) == ['1', '2.jpg', '2.png', 'a.b']
    three = ['a.jpg', 'a.png', 'a.jpg.png']
    assert images.without_extensions(three) == three
    assert images.without_extensions([*three, 'a.jpg.png.png'])[-1] == 'a.jpg.png.png'
    assert images.without_extensions(['p/a.jpg', 'q/a.png']) == ['p/a', 'q/a']


def test_save_images_writes_three_files_per_pair(tmp_path):
    results = {'paths': [b'in/1.jpg', 'in/\u00e9.jpg'.encode()]}
    results.update({kind: [kind.encode() + b'1', kind.encode() + b'2'] for kind in images.KINDS})
    names = images.output_names(['in/1.jpg', 'in/\u00e9.jpg'])
    assert images.save_images(results, names, str(tmp_path)) == 6
    contents = {name: (tmp_path / name).read_bytes() for name in os.listdir(str(tmp_path))}
    assert contents == {
        '1-inputs.png': b'inputs1',
        '1-outputs.png': b'outputs1',
        '1-targets.png': b'targets1',
        '\u00e9-inputs.png': b'inputs2',
        '\u00e9-outputs.png': b'outputs2',
        '\u00e9-targets.png': b'targets2',
    }
