"""What halves are taken for: label maps, line drawings, class ids, values of 16 bits."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw
from support.encoding import encoded
from support.helpers import error_line
from support.photos import pair_of, run_pairs, tree, write_photo

from pix2pix_tf.pairs import halves, read
from pix2pix_tf.system.errors import DataError

IDS = np.kron(np.arange(6).reshape(2, 3), np.ones((16, 16), int))  # regions of 0 to 5


def write_ids(folder, dtype):
    folder.mkdir()
    extension = 'tif' if dtype == np.int32 else 'png'
    for number in range(2):
        Image.fromarray(IDS.astype(dtype)).save(str(folder / f'{number}.{extension}'))
    return folder / f'0.{extension}'


def combine(tmp_path, *flags):
    for number in range(2):
        write_photo(tmp_path / 'a' / f'{number}.jpg', number, size=(48, 32))
    to = tmp_path / 'to'
    return run_pairs('combine', f'--a={tmp_path}/a', f'--b={tmp_path}/b', f'--to={to}', *flags)


@pytest.mark.parametrize('dtype', [np.uint16, np.int32])
def test_class_ids_that_would_become_black_are_named_with_their_values(tmp_path, dtype):
    path = write_ids(tmp_path / 'b', dtype)
    result = combine(tmp_path)
    assert result.returncode == 1
    assert (
        f'{path} has 16 bits per pixel, but only 6 values from 0 to 5, which would '
        'become 1 color: give class ids colors with --colorize'
    ) in result.stdout
    assert not [name for name in tree(tmp_path / 'to') if name.endswith('png')]


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.int32])
def test_class_ids_get_colors_which_are_written_down(tmp_path, dtype):
    write_ids(tmp_path / 'b', dtype)
    result = combine(tmp_path, '--colorize=b', '--size=96', '--resize=stretch')
    assert (result.returncode, result.stderr) == (0, '')
    _, half = pair_of(tmp_path / 'to' / '0.png')
    colors = {'#{:02x}{:02x}{:02x}'.format(*color) for color in half.reshape(-1, 3)}
    legend = json.loads((tmp_path / 'to' / 'pairs.json').read_text())['legend']
    assert sorted(legend) == list('012345') and set(legend.values()) == colors
    assert legend['0'] == '#000000' and legend['1'] == '#800000'
    assert '<td>5<td style="background:#800080">' in (tmp_path / 'to' / 'legend.html').read_text()
    before = tree(tmp_path / 'to')
    assert (
        '2 were there' in combine(tmp_path, '--colorize=b', '--size=96', '--resize=stretch').stdout
    )
    assert tree(tmp_path / 'to') == before
    assert 'with --colorize b, not none' in combine(tmp_path, '--size=96').stderr


def test_every_id_of_16_bits_has_its_own_color():
    assert len({halves.color_of(one) for one in range(2**16)}) == 2**16


def test_class_ids_of_8_bits_stay_and_are_doubted(tmp_path):
    write_ids(tmp_path / 'b', np.uint8)
    result = combine(tmp_path)
    assert result.returncode == 0
    assert (
        'B looks like class ids, gray values from 0 to 5, which are nearly black' in result.stdout
    )
    np.testing.assert_array_equal(pair_of(tmp_path / 'to' / '0.png')[1][..., 0], IDS)


def test_check_names_a_half_that_is_flat_in_all_pairs(tmp_path):
    for number in range(3):
        write_photo(tmp_path / 'data' / f'{number}.png', number, size=(64, 32))
        with Image.open(str(tmp_path / 'data' / f'{number}.png')) as image:
            image.load()
        image.paste('black', (32, 0, 64, 32))
        image.save(str(tmp_path / 'data' / f'{number}.png'))
    result = run_pairs('check', str(tmp_path / 'data'), f'--out={tmp_path}/out')
    assert 'B, the right half, of every pair is one flat color, #000000' in result.stdout
    assert 'A, the left half' not in result.stdout


def lines(size, width=1, step=10):
    """A drawing of vertical and slanted lines."""
    image = Image.new('RGB', (size, size), 'white')
    draw = ImageDraw.Draw(image)
    for x in range(5, size, step):
        draw.line([x, 0, x, size // 2], 'black', width)
        draw.line([x, size // 2, size - x, size], 'black', width)
    return image


def test_lines_are_blended_when_they_are_scaled_so_that_none_vanishes(tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'b').mkdir()
    lines(1024).save(str(tmp_path / 'b' / '0.png'))
    write_photo(tmp_path / 'a' / '0.jpg', size=(1024, 1024))
    flags = [f'--a={tmp_path}/a', f'--b={tmp_path}/b', f'--to={tmp_path}/to']
    result = run_pairs('combine', *flags, '--size=256')
    assert (
        'A: images of many colors, scaled with blending; B: line drawings, scaled with blending '
        '(see --labels)'
    ) in result.stdout
    _, half = pair_of(tmp_path / 'to' / '0.png')
    row = half[40, :, 0]
    dark = (row < 230) & (row <= np.roll(row, 1)) & (row < np.roll(row, -1))
    assert dark.sum() == 102  # one for each line
    resumed = run_pairs('combine', *flags, '--size=256').stdout
    assert 'B: line drawings' in resumed and '1 was there' in resumed


@pytest.mark.parametrize(
    'image, kind',
    [
        (lines(256), 'lines'),
        (lines(1024, width=5, step=60), 'lines'),
        (Image.fromarray((IDS * 40).astype(np.uint8)).convert('RGB'), 'labels'),
        (Image.new('RGB', (64, 64), 'red'), 'labels'),
        (Image.radial_gradient('L').convert('RGB'), 'colors'),
    ],
)
def test_labels_are_regions_and_lines_are_not(image, kind):
    assert halves.kind_of(image) == kind


def test_regions_on_a_background_are_labels():
    image = Image.new('RGB', (512, 512), 'black')
    draw = ImageDraw.Draw(image)
    draw.ellipse([100, 100, 200, 200], 'red')
    draw.line([0, 300, 512, 320], 'blue', 2)
    assert halves.kind_of(image) == 'labels'


def test_float_images_are_refused_with_advice(tmp_path):
    image = Image.fromarray(np.random.RandomState(1).rand(8, 8).astype(np.float32))
    contents = encoded(image, 'TIFF')
    with pytest.raises(DataError, match='^x has float values, whose range is unknown'):
        read.read_image(contents, 'x')
    with pytest.raises(DataError, match='^the image has float values'):
        read.to_rgb(image)
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'photos' / '1.tif').write_bytes(contents)
    flags = ['make', f'--photos={tmp_path}/photos', f'--to={tmp_path}/to', '--input=gray']
    assert '1.tif has float values' in run_pairs(*flags).stdout


def test_values_that_fill_little_of_16_bits_are_doubted(tmp_path):
    values = np.random.RandomState(1).randint(0, 4096, (32, 48)).astype(np.uint16)
    contents = encoded(Image.fromarray(values))
    doubt = read.doubt_of(contents, 'x.png')
    assert doubt.startswith('x.png has 16 bits per pixel, but only ')
    assert ' values from 5 to 4091, of 65535, so it is nearly black: scale' in doubt
    assert read.doubt_of(encoded(Image.fromarray(values * 16)), 'x.png') is None
    assert read.doubt_of(encoded(Image.new('L', (4, 4), 3)), 'x.png') is None
    (tmp_path / 'b').mkdir()
    for number in range(2):
        (tmp_path / 'b' / f'{number}.png').write_bytes(contents)
    result = combine(tmp_path)
    assert result.returncode == 0 and result.stdout.count('so it is nearly black') == 1


def test_a_huge_photo_is_decoded_to_the_size_that_is_asked_for(tmp_path):
    """108 megapixels, as phones have them; whole, it is refused."""
    path = tmp_path / 'photos' / '1.jpg'
    path.parent.mkdir()
    Image.new('RGB', (12000, 9000), (200, 100, 50)).save(str(path))
    flags = ['make', f'--photos={path.parent}', '--input=gray']
    result = run_pairs(*flags, f'--to={tmp_path}/small', '--size=286')
    assert (result.returncode, result.stderr) == (0, '')
    a, _ = pair_of(tmp_path / 'small' / '1.jpg')
    assert a.shape == (286, 286, 3) and np.abs(a - [200, 100, 50]).max() < 4
    line = error_line(run_pairs(*flags, f'--to={tmp_path}/whole'), 1)
    assert 'no pair could be made' in line
    with pytest.raises(DataError, match='has 12000x9000 pixels, over 67108864: scale it down'):
        read.read_for_pair(str(path))
