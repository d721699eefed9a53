"""The colors of labels, from a file or from the targets."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pix2pix_tf.pairs import draw, halves, label_colors, palette
from pix2pix_tf.system.errors import UsageError


def test_a_file_lists_colors_and_names(tmp_path):
    path = tmp_path / 'colors.txt'
    path.write_bytes(
        '\ufeff#0000DE background\r\n\r\n  #00cfff \tFenster, groß \n#ffef00\n'.encode()
    )
    found = [tuple(color) for color in label_colors.find(str(path), [], 'AtoB')]
    assert found == [
        ('#0000de', 'background'),
        ('#00cfff', 'Fenster, groß'),
        ('#ffef00', 'yellow'),
    ]


@pytest.mark.parametrize(
    'text, words',
    [
        (b'#00f blue\n#ffffff', "line 1 of {path} is '#00f blue': it must be a color and a name"),
        (b'#ffffff a\nred', "line 2 of {path} is 'red': it must be a color"),
        (b'#ffffff a\n#FFFFFF b', 'line 2 of {path} has the same color as an earlier one, #ffffff'),
        (b'#ffffff a\n#000000 a', 'line 2 of {path} has the same name as an earlier one, a'),
        (b'#ffffff a\n', '{path} lists 1 colors: it must be 2 to 256'),
        (b'\xff\xfe', '`labels` is {path} ('),
        (b'\n' * 70000, '`labels` is {path} (it has more than 65536 bytes): give auto, or a file'),
    ],
)
def test_another_file_is_an_error_of_one_line(tmp_path, text, words):
    path = tmp_path / 'colors.txt'
    path.write_bytes(text)
    with pytest.raises(UsageError) as error:
        label_colors.find(str(path), [], 'AtoB')
    assert words.format(path=path) in str(error.value)
    assert '\n' not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    for path in (tmp_path / 'none.txt', tmp_path):
        with pytest.raises(UsageError, match=f'`labels` is {path} .*: give auto, or a file'):
            label_colors.find(str(path), [], 'AtoB')


@pytest.mark.parametrize('extension', ['jpg', 'png'])
def test_auto_finds_the_labels_of_either_half(tmp_path, extension):
    rng = np.random.RandomState(1)
    photo = Image.fromarray(rng.randint(0, 256, (256, 256, 3)).astype(np.uint8))
    expected, paths = [], []
    for number in range(6):
        labels = Image.fromarray(draw.draw_labels(draw.draw_plan(rng)))
        expected += [color for _, color in labels.getcolors() if color not in expected]
        for direction, pair in (('AtoB', (photo, labels)), ('BtoA', (labels, photo))):
            path = tmp_path / f'{direction}-{number}.{extension}'
            path.write_bytes(halves.encoded(halves.side_by_side(*pair), extension))
            paths.append(str(path))
    for direction in ('AtoB', 'BtoA'):
        found = label_colors.find('auto', [p for p in paths if direction in p], direction)
        colors = np.array([palette.rgb(color.color) for color in found])
        distances = np.abs(np.array(expected)[:, None] - colors).max(axis=2)
        assert len(colors) == len(expected)
        assert distances.min(axis=1).max() <= (4 if extension == 'jpg' else 0)
        assert {'background', 'wall', 'window'} <= {color.name for color in found}
        with pytest.raises(UsageError, match='`labels` is auto, but the targets are not label'):
            label_colors.find('auto', [p for p in paths if direction not in p], direction)


def test_auto_keeps_exact_colors_apart_and_leaves_out_stray_ones(tmp_path):
    """Bus and train of Cityscapes differ by 20, which JPEG would hide; a pixel is no label."""
    colors = [(0, 60, 100), (0, 80, 100), (220, 20, 60)]
    for number in range(70):  # more than are looked at
        pair = Image.new('RGB', (128, 64), colors[number % 3])
        ImageDraw.Draw(pair).rectangle((0, 0, 90, 30), colors[(number + 1) % 3])
        pair.putpixel((100, 60), (1, 2, 3))
        pair.save(str(tmp_path / f'{number}.png'))
    paths = [str(tmp_path / f'{number}.png') for number in range(70)]
    found = label_colors.find('auto', paths, 'AtoB')
    assert {color.color for color in found} == {'#003c64', '#005064', '#dc143c'}


def test_more_colors_than_auto_finds_in_jpeg_are_said(tmp_path):
    values = [(r, g, b) for r in (0, 128, 255) for g in (0, 128, 255) for b in (0, 255)]
    widths = [30] * 16 + [10] * 2
    path = tmp_path / 'a.jpg'
    labels = Image.fromarray(np.array([values], np.uint8).repeat(widths, axis=1).repeat(99, axis=0))
    path.write_bytes(halves.encoded(halves.side_by_side(labels, labels), 'jpg'))
    with pytest.raises(UsageError, match='the targets have 16 colors or more: name a file'):
        label_colors.find('auto', [str(path)], 'AtoB')
