"""The palette of the page."""

import numpy as np
from PIL import Image, ImageDraw

from pix2pix_tf.pairs.draw import draw_labels, draw_plan
from pix2pix_tf.serve import palette


def jpeg(image, tmp_path):
    image.save(str(tmp_path / 'x.jpg'), quality=85)
    return Image.open(str(tmp_path / 'x.jpg')).convert('RGB')


def test_the_labels_of_the_demo_have_their_names(tmp_path):
    rng = np.random.RandomState(1)
    inputs = [jpeg(Image.fromarray(draw_labels(draw_plan(rng))), tmp_path) for _ in range(12)]
    found = palette.find(inputs)
    assert (found.kind, found.background) == ('labels', '#0000aa')
    names = {color.name for color in found.colors}
    assert {'background', 'wall', 'window', 'door', 'cornice', 'balcony', 'shop'} <= names


def test_the_labels_of_the_archive_have_their_names():
    stripes = [(0, 0, 222), (0, 48, 255), (0, 128, 255), (0, 207, 255), (255, 239, 0)]
    image = Image.fromarray(np.repeat(np.array([stripes], np.uint8), 20, axis=1).repeat(64, axis=0))
    names = [color.name for color in palette.find([image]).colors]
    assert names == ['background', 'wall', 'window', 'door', 'shutter']


def test_other_labels_are_named_after_their_colors():
    image = Image.new('RGB', (64, 64), (128, 64, 128))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 30, 30), (70, 130, 180))
    draw.rectangle((40, 40, 60, 60), (0, 0, 142))
    found = palette.find([image])
    assert found.kind == 'labels'
    assert [color.color for color in found.colors] == ['#804080', '#4682b4', '#00008e']
    assert len({color.name for color in found.colors}) == 3


def test_line_drawings_get_a_pen(tmp_path):
    image = Image.new('RGB', (128, 128), 'white')
    draw = ImageDraw.Draw(image)
    for at in range(10, 120, 22):
        draw.line((at, 5, 128 - at, 120), 'black', 1)
    found = palette.find([jpeg(image, tmp_path)])
    assert (found.kind, found.background) == ('lines', '#ffffff')
    assert [color.name for color in found.colors] == ['pen', 'background']


def test_photos_have_no_labels():
    rng = np.random.RandomState(1)
    noise = Image.fromarray(rng.randint(0, 256, (64, 64, 3)).astype(np.uint8))
    assert palette.find([noise]).kind == 'photos'
    assert palette.find([noise.resize((256, 256), Image.BICUBIC)]).kind == 'photos'
