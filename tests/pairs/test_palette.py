"""The palette of label maps and line drawings."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pix2pix_tf.pairs import inputs as computed
from pix2pix_tf.pairs import palette
from pix2pix_tf.pairs.draw import draw_labels, draw_plan


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


def test_a_cleared_sheet_of_facades_has_the_background_above_and_the_wall_below(tmp_path):
    rng = np.random.RandomState(1)
    inputs = [jpeg(Image.fromarray(draw_labels(draw_plan(rng))), tmp_path) for _ in range(12)]
    (top, sky), (start, wall) = palette.layout(inputs, palette.find(inputs))
    assert (top, sky, wall) == (0, '#0000aa', '#0000ff')
    assert 0.05 < start < 0.35


def test_a_cleared_sheet_has_at_most_the_two_labels_of_the_largest_bands():
    image = Image.new('RGB', (64, 128), (0, 0, 142))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 63, 31), (70, 130, 180))
    draw.rectangle((0, 120, 63, 127), (220, 20, 60))  # a narrow band at the bottom
    draw.rectangle((0, 60, 63, 61), (70, 130, 180))  # another of two rows
    found = palette.find([image])
    assert len(found.colors) == 3
    assert palette.layout([image], found) == [(0, '#4682b4'), (0.25, '#00008e')]


def test_a_cleared_sheet_is_white_where_there_are_no_labels(tmp_path):
    rng = np.random.RandomState(1)
    noise = Image.fromarray(rng.randint(0, 256, (64, 64, 3)).astype(np.uint8))
    gray = noise.convert('L').convert('RGB').resize((256, 256), Image.BICUBIC)
    for inputs in ([noise], [gray]):
        assert palette.layout(inputs, palette.find(inputs)) == [(0, '#ffffff')]
    assert palette.layout([], palette.PLAIN) == [(0, '#ffffff')]
    chalk = Image.new('RGB', (64, 64), 'black')
    ImageDraw.Draw(chalk).line((5, 5, 60, 40), 'white', 1)
    assert palette.layout([chalk], palette.find([chalk])) == [(0, '#000000')]


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
    gray = noise.convert('L').convert('RGB').resize((256, 256), Image.BICUBIC)
    assert palette.find([gray]).kind == 'photos'


@pytest.mark.parametrize(
    'kind, found', [('edges', 'lines'), ('gray', 'photos'), ('blur', 'photos'), ('mask', 'photos')]
)
def test_inputs_computed_from_photos_are_no_label_maps(kind, found, tmp_path):
    rng = np.random.RandomState(1)
    inputs = []
    for _ in range(3):  # smooth photos with edges
        photo = Image.fromarray(rng.randint(0, 256, (8, 8, 3)).astype(np.uint8))
        photo = photo.resize((128, 128), Image.BICUBIC)
        ImageDraw.Draw(photo).rectangle((20, 30, 70, 90), 'white')
        result = computed.KINDS[kind](photo, computed.Parameters(), rng)
        inputs.append(jpeg(result.convert('RGB'), tmp_path))
    assert palette.find(inputs).kind == found


def test_a_pair_is_an_input_beside_a_photo(tmp_path):
    rng = np.random.RandomState(1)
    plans = [draw_plan(rng) for _ in range(3)]
    labels = [jpeg(Image.fromarray(draw_labels(plan)), tmp_path) for plan in plans]
    noise = Image.fromarray(rng.randint(0, 256, (16, 16, 3)).astype(np.uint8))
    photo = noise.resize((256, 256), Image.BICUBIC)
    found = palette.find(labels)
    assert found.kind == 'labels' and palette.is_pair(labels[0], photo, found)
    for a, b in ((photo, labels[0]), (labels[0], labels[1]), (photo, photo)):
        assert not palette.is_pair(a, b, found)
    drawing = Image.new('RGB', (128, 128), 'white')
    ImageDraw.Draw(drawing).line((5, 5, 120, 90), 'black', 2)
    shoe = Image.new('RGB', (128, 128), 'white')
    shoe.paste(photo.resize((60, 60)), (30, 30))
    found = palette.find([drawing])
    assert found.kind == 'lines' and palette.is_pair(drawing, shoe, found)
    assert not palette.is_pair(shoe, drawing, found)
    assert not palette.is_pair(drawing, drawing, found)
    assert not palette.is_pair(labels[0], photo, palette.PLAIN)
