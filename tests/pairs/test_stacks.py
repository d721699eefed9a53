"""Files of several panels, of gray and of 16 bits, from images, TIFF files and arrays."""

import json
import os

import numpy as np
import pytest
from PIL import Image
from support.helpers import error_line, pair_pixels, run_command
from support.photos import tree

from pix2pix_tf.pairs import bands, find, read, record, stacks
from pix2pix_tf.pairs.inputs import load_opencv
from pix2pix_tf.system.errors import DataError, UsageError


def combine(to, *flags):
    return run_command('pairs', 'combine', f'--to={to}', '--processes=1', *flags)


def fine(seed, channels=1):
    """Smooth values of 16 bits, [32, 48, channels]."""
    pixels = pair_pixels(seed, 48, 32)[..., :channels].astype(np.uint16)
    return pixels * 250 + np.arange(channels, dtype=np.uint16)


def read_fine(path):
    """The values in a PNG file of 16 bits, [height, width, channels]."""
    return bands.read_bands(str(path))


def write_tiff(path, pages):
    """A TIFF file of these pages, [height, width] or [height, width, 3 (RGB)]."""
    pages = [page[..., ::-1] if page.ndim == 3 else page for page in pages]
    encoded = load_opencv().imwritemulti(str(path), pages)
    assert encoded


@pytest.fixture
def folders(tmp_path):
    """Photos, masks of them, and depth in 16 bits."""
    for name in ('photo', 'mask', 'depth'):
        (tmp_path / name).mkdir()
    for number in range(3):
        photo = pair_pixels(number, 48, 32)
        Image.fromarray(photo).save(str(tmp_path / 'photo' / f'{number}.png'))
        mask = np.where(photo[..., 0] < 128, 0, 255).astype(np.uint8)
        Image.fromarray(mask).save(str(tmp_path / 'mask' / f'{number}.png'))
        Image.fromarray(fine(number)[..., 0]).save(str(tmp_path / 'depth' / f'{number}.png'))
    return tmp_path


def test_the_panels_are_in_the_order_of_the_flags(folders, tmp_path):
    to = tmp_path / 'to'
    flags = [f'--a={folders}/photo', f'--b={folders}/mask', f'--b={folders}/photo']
    result = combine(to, *flags)
    assert (result.returncode, result.stderr) == (0, '')
    assert 'train with --output_panels=1 and --input_panels=2, --channels=3, --bits=8' in (
        result.stdout
    )
    photo = pair_pixels(1, 48, 32)
    mask = np.where(photo[..., :1] < 128, 0, 255).repeat(3, axis=2)
    written = np.asarray(Image.open(str(to / '1.png')))
    np.testing.assert_array_equal(written, np.concatenate([photo, mask, photo], axis=1))
    assert record.panels_in(str(to)) == ('a', 'b', 'b')
    assert find.find_pairs(str(to), panels=3).sizes == [(144, 32)] * 3
    advice = 'files of 3 images side by side, not 2: use `output_panels`=1 and `input_panels`=2'
    with pytest.raises(DataError, match=advice):
        find.find_pairs(str(to))
    assert '3 were there' in combine(to, *flags).stdout
    other = [f'--a={folders}/photo', f'--a={folders}/mask', f'--b={folders}/photo']
    assert 'was made with --sides a,b,b' in error_line(combine(to, *other), 2)


def test_masks_stay_exact_beside_photos_that_are_blended(folders, tmp_path):
    flags = [f'--a={folders}/photo', f'--b={folders}/photo', f'--b={folders}/mask']
    assert combine(tmp_path / 'to', *flags, '--size=40').returncode == 0
    written = np.asarray(Image.open(str(tmp_path / 'to' / '2.png')))
    assert written.shape == (40, 120, 3)
    assert set(np.unique(written[:, 80:])) == {0, 255}
    assert len(np.unique(written[:, :40])) > 64


def test_gray_of_16_bits_keeps_every_value(folders, tmp_path):
    flags = [f'--a={folders}/depth', f'--b={folders}/photo', '--channels=1', '--bits=16']
    assert combine(tmp_path / 'to', *flags, '--split=train:0.5,val:0.5').returncode == 0
    files = [name for name in tree(tmp_path / 'to') if name.endswith('1.png')]
    written = read_fine(tmp_path / 'to' / files[0])
    assert written.dtype == np.uint16
    np.testing.assert_array_equal(written[:, :48], fine(1))
    gray = np.asarray(Image.fromarray(pair_pixels(1, 48, 32)).convert('L'))
    np.testing.assert_array_equal(written[:, 48:, 0], gray.astype(np.uint16) * 257)


def test_bands_of_tiff_files_and_arrays_become_panels(folders, tmp_path):
    (tmp_path / 'tiff').mkdir()
    (tmp_path / 'array').mkdir()
    for number in range(3):
        write_tiff(tmp_path / 'tiff' / f'{number}.tif', [fine(5)[..., 0], fine(6)[..., 0]])
        np.save(str(tmp_path / 'array' / f'{number}.npy'), fine(7, 3))
    flags = [f'--a={tmp_path}/tiff', f'--b={tmp_path}/array', '--bits=16']
    assert combine(tmp_path / 'gray', *flags, '--channels=1').returncode == 0
    assert record.panels_in(str(tmp_path / 'gray')) == tuple('aabbb')
    written = read_fine(tmp_path / 'gray' / '0.png')
    want = [fine(5), fine(6), *np.split(fine(7, 3), 3, axis=2)]
    np.testing.assert_array_equal(written, np.concatenate(want, axis=1))
    np.save(str(tmp_path / 'array' / '1.npy'), fine(7, 2))
    result = combine(tmp_path / 'other', *flags, '--channels=1', '--partial')
    assert '1.tif would be in a file of 4 panels, unlike the others of 5' in result.stdout
    np.save(str(tmp_path / 'array' / '1.npy'), fine(7, 3))
    flags = [f'--a={tmp_path}/array', f'--b={folders}/depth', '--bits=16']
    assert combine(tmp_path / 'rgb', *flags).returncode == 0
    written = read_fine(tmp_path / 'rgb' / '0.png')
    np.testing.assert_array_equal(written[:, :48], fine(7, 3))
    np.testing.assert_array_equal(written[:, 48:], fine(0).repeat(3, axis=2))


def test_rgb_of_16_bits_in_a_tiff_file_keeps_its_bits(tmp_path):
    write_tiff(tmp_path / '1.tif', [fine(1, 3)])
    np.testing.assert_array_equal(bands.read_bands(str(tmp_path / '1.tif')), fine(1, 3))


def test_floats_need_a_range(folders, tmp_path):
    (tmp_path / 'f').mkdir()
    values = np.linspace(-1, 2, 32 * 48).reshape(32, 48).astype(np.float32)
    values[0, 0] = np.nan
    for number in range(3):
        np.save(str(tmp_path / 'f' / f'{number}.npy'), values)
    flags = [f'--a={folders}/mask', f'--b={tmp_path}/f', '--bits=16', '--channels=1']
    line = error_line(combine(tmp_path / 'to', *flags), 1)
    assert f'{tmp_path}/f/0.npy has values of other types than uint8 and uint16' in line
    assert 'scale them with --range, as in 0,1' in line
    result = combine(tmp_path / 'to', *flags, '--range=0,1')
    assert result.returncode == 0, result.stderr
    mask, written = np.split(read_fine(tmp_path / 'to' / '0.png')[..., 0], 2, axis=1)
    assert set(np.unique(mask)) == {0, 65535}  # of 8 bits, which have their range
    want = np.round(np.clip(np.nan_to_num(values), 0, 1) * 65535)
    assert np.abs(written - want).max() <= 1
    with pytest.raises(UsageError, match="`range` is '1,0'"):
        stacks.parse_range('1,0')


def test_inputs_alone_make_files_for_predictions(folders, tmp_path):
    flags = [f'--b={folders}/photo', f'--b={folders}/mask']
    assert combine(tmp_path / 'to', *flags).returncode == 0
    assert Image.open(str(tmp_path / 'to' / '1.png')).size == (96, 32)
    with pytest.raises(DataError, match='/to has inputs without targets'):
        find.find_pairs(str(tmp_path / 'to'))
    assert '--a is missing' in error_line(combine(tmp_path / 'x', f'--b={folders}/photo'), 2)


def test_a_file_that_lacks_in_one_folder_is_named(folders, tmp_path):
    os.remove(str(folders / 'mask' / '1.png'))
    flags = [f'--a={folders}/photo', f'--b={folders}/photo', f'--b={folders}/mask']
    result = combine(tmp_path / 'to', *flags)
    assert f'{folders}/photo/1.png has no partner in {folders}/mask' in result.stdout
    assert result.returncode == 1
    result = combine(tmp_path / 'to', *flags, '--partial')
    assert (result.returncode, 'made 2 pairs' in result.stdout) == (0, True)


def test_check_knows_the_panels(folders, tmp_path):
    flags = [f'--a={folders}/photo', f'--b={folders}/mask', f'--b={folders}/photo']
    combine(tmp_path / 'to', *flags)
    out = f'--out={tmp_path}/out'
    result = run_command('pairs', 'check', str(tmp_path / 'to'), out, '--processes=1')
    assert result.returncode == 0, result.stdout
    assert 'train with --output_panels=1 and --input_panels=2' in result.stdout
    checked = json.loads((tmp_path / 'out' / 'check.json').read_text())
    assert checked['parts'][0]['sizes'] == '48x32'
    os.remove(str(tmp_path / 'to' / 'pairs.json'))
    result = run_command('pairs', 'check', str(tmp_path / 'to'), out, '--panels=a,b,b,b,b')
    assert 'pixels wide, so it cannot be split into 5 panels' in result.stdout


def test_pages_of_different_kinds_are_refused(tmp_path):
    (tmp_path / '1.npy').write_bytes(b'no array')
    with pytest.raises(DataError, match='1.npy cannot be read as an array'):
        bands.read_bands(str(tmp_path / '1.npy'))
    np.save(str(tmp_path / '2.npy'), np.zeros(5))
    with pytest.raises(DataError, match=r'2.npy has the shape \[5\], not'):
        bands.size_of(str(tmp_path / '2.npy'))
    np.save(str(tmp_path / '3.npy'), np.zeros((5, 5), np.complex64))
    with pytest.raises(DataError, match='3.npy has values of the type complex64'):
        bands.read_bands(str(tmp_path / '3.npy'))
    (tmp_path / '4.tif').write_bytes(b'II*\0')
    with pytest.raises(read.Unreadable):
        bands.read_bands(str(tmp_path / '4.tif'))
