"""pix2pix-predict: files and folders of images in, a folder of results out."""

import os

import numpy as np
import pytest
from PIL import Image
from support.encoding import encoded
from support.helpers import contents, error_line, pair_pixels, run_command, write_cut_off
from support.odd_files import exif_block, with_scans

from pix2pix_tf.inference import files
from pix2pix_tf.inference.generator import load
from pix2pix_tf.pairs import find, read
from pix2pix_tf.system.errors import DataError, Pix2PixError


def test_files_and_folders(trained, tmp_path):
    """Formats, subfolders, names, a bad file, and the page in one run."""
    folder = tmp_path / 'in'
    (folder / 'deep').mkdir(parents=True)
    picture = Image.fromarray(pair_pixels(1, 64, 32))
    picture.save(str(folder / 'a.jpg'))
    picture.save(str(folder / 'a.png'))
    picture.save(str(folder / 'deep' / 'b c#.webp'))
    (folder / 'notes.txt').write_text('')
    (folder / '.hidden.png').write_bytes(b'')
    write_cut_off(folder / 'bad.png')
    single = tmp_path / 'single.bmp'
    picture.save(str(single))
    to = tmp_path / 'to'
    flags = [f'--model={trained}', f'--to={to}', '--seed=1']
    result = run_command('predict', *flags, str(folder), str(single))
    assert error_line(result, 1) == 'pix2pix-predict: 1 of 5 images failed, as named above'
    assert f'{folder}/bad.png cannot be read as an image' in result.stdout
    assert 'leaving out 1 file that is not an image' in result.stdout
    names = {'a.jpg.png', 'a.png.png', 'deep/b c#.png', 'single.png'}
    for name in names:
        assert Image.open(str(to / name)).size == (256, 256)
    # The PNG and the BMP hold the same pixels
    assert (to / 'a.png.png').read_bytes() == (to / 'single.png').read_bytes()
    page = (to / 'index.html').read_text()
    for name in ('a.jpg.png', 'deep/b%20c%23.png', 'previews/deep/b%20c%23.jpg', 'single.png'):
        assert f'src="{name}"' in page and os.path.exists(
            str(to / name.replace('%20', ' ').replace('%23', '#'))
        )
    assert 'bad' not in page
    # Again, over the folder with its results: they are not inputs
    again = run_command('predict', *flags, f'--to={folder}/to', str(folder / 'deep'), str(folder))
    assert (folder / 'to' / 'deep' / 'b c#.png').exists()
    again = run_command('predict', f'--to={folder}/to', f'--model={trained}', str(folder))
    assert 'of 4 images failed' in again.stderr


def test_a_folder_as_people_have_it(trained, tmp_path):
    """Pipes, folders of systems, and images that are not what they seem: named, not waited for."""
    folder, to = tmp_path / 'in', tmp_path / 'to'
    (folder / '@eaDir').mkdir(parents=True)
    picture = Image.fromarray(pair_pixels(1, 64, 32))
    picture.save(str(folder / '@eaDir' / 'thumbnail.jpg'))
    picture.save(str(folder / 'exif.jpg'), exif=exif_block(6)[:20] + b'\xff' * 9)
    (folder / 'scans.jpg').write_bytes(with_scans(encoded(picture, 'JPEG', progressive=True), 200))
    values = np.random.RandomState(1).randint(0, 4096, (32, 64))
    Image.fromarray(values.astype(np.uint16)).save(str(folder / 'xray.png'))
    Image.fromarray(values.astype(np.float32)).save(str(folder / 'float.tif'))
    (folder / 'phone.heic').write_bytes(b'')
    os.mkfifo(str(folder / 'pipe.png'))
    result = run_command('predict', f'--model={trained}', f'--to={to}', str(folder))
    assert error_line(result, 1) == 'pix2pix-predict: 2 of 4 images failed, as named above'
    for words in (
        f'{folder}/scans.jpg has over 100 scans',
        f'{folder}/float.tif has float values',
        f'{folder}/xray.png has 16 bits per pixel, but only ',
        f'{folder}/phone.heic is a HEIC file',
        'leaving out 1 file that is not an image',
    ):
        assert words in result.stdout
    assert sorted(os.listdir(str(to))) == ['exif.png', 'index.html', 'previews', 'xray.png']


def test_flags_set_sizes_samples_and_names(trained, tmp_path):
    source = tmp_path / 'x.png'
    Image.fromarray(pair_pixels(1, 100, 60)).save(str(source))
    for flags, size in (
        (['--keep_size'], (100, 60)),
        (['--fit=whole'], (100, 60)),
        (['--crop_size=512x256'], (512, 256)),
    ):
        to = tmp_path / flags[0]
        result = run_command('predict', f'--model={trained}', f'--to={to}', *flags, str(source))
        assert (result.returncode, result.stderr) == (0, '')
        assert Image.open(str(to / 'x.png')).size == size
    flags = [f'--model={trained}', '--samples=2', '--name={name}-fake']
    result = run_command('predict', *flags, f'--to={tmp_path}', str(source))
    assert (result.returncode, result.stderr) == (0, '')
    one, two = (Image.open(str(tmp_path / name)) for name in ('x-fake.png', 'x-fake-2.png'))
    assert one.size == two.size == (256, 256) and (np.asarray(one) != np.asarray(two)).any()


def test_an_input_is_never_overwritten(trained, tmp_path):
    source = tmp_path / 'x.png'
    Image.fromarray(pair_pixels(1)).save(str(source))
    before = contents(tmp_path)
    result = run_command('predict', f'--model={trained}', f'--to={tmp_path}', str(source))
    assert f'{source} is one of the inputs: choose another folder with --to' in error_line(
        result, 2
    )
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    'flags, status, words',
    [
        ([], 2, 'no image is given'),
        (['nothing.png'], 1, 'no file or folder nothing.png'),
        (['.', '--samples=0'], 2, '--samples is 0'),
        (['.', '--tile=100'], 2, '--tile is 100: it must be a multiple of 256'),
        (['.', '--fit=both'], 2, 'fit'),
        (['.', '--tile=512'], 2, '--tile requires --fit=whole'),
        (['.', '--fit=whole', '--crop_size=512'], 2, '--crop_size requires --fit=scale'),
        (['.', '--fit=whole', '--keep_size'], 2, '--keep_size requires --fit=scale'),
        (['.'], 1, 'no image in .'),
    ],
)
def test_invalid_usage_prints_one_line(tmp_path, flags, status, words):
    assert words in error_line(run_command('predict', *flags, cwd=tmp_path), status)


def test_a_missing_model_prints_one_line(tmp_path):
    Image.fromarray(pair_pixels(1)).save(str(tmp_path / 'x.png'))
    result = run_command('predict', f'--model={tmp_path}/none', str(tmp_path / 'x.png'))
    assert f'no folder and no checkpoint {tmp_path}/none' in error_line(result, 1)


def test_a_write_error_leaves_only_complete_files(trained, tmp_path):
    for number in range(4):
        Image.fromarray(pair_pixels(number)).save(str(tmp_path / f'{number}.png'))
    to = str(tmp_path / 'to')
    plan = files.plan(find.walk_images([str(tmp_path)], to)[0], to)
    os.makedirs(os.path.join(to, '2.png'))  # in the way
    wrong = pytest.raises(Pix2PixError, match='cannot write .*2.png')
    with load(trained) as generator, wrong:
        files.predict_files(generator, plan, to)
    for name, data in contents(to).items():
        assert data.startswith(b'\x89PNG') and data.endswith(b'IEND\xaeB`\x82'), name


def rgb(path):
    with open(str(path), 'rb') as file:
        return np.asarray(read.read_image(file.read(), str(path)))


def test_all_formats_and_modes_of_pillow_are_read(tmp_path, generator_decoder):
    base = Image.fromarray(pair_pixels(2, 40, 20))
    gray = np.arange(800, dtype=np.uint16).reshape(20, 40) * 80
    alpha = base.convert('RGBA')
    alpha.putpixel((3, 4), (9, 9, 9, 0))
    palette = base.quantize(16)
    palette.info['transparency'] = palette.getpixel((0, 0))
    other = base.transpose(Image.FLIP_LEFT_RIGHT)
    base.save(str(tmp_path / 'many.gif'), save_all=True, append_images=[other])
    alpha.save(str(tmp_path / 'alpha.png'))
    palette.save(str(tmp_path / 'palette.png'), transparency=palette.getpixel((0, 0)))
    Image.fromarray(gray).save(str(tmp_path / 'gray16.png'))
    base.convert('L').save(str(tmp_path / 'gray.png'))
    base.convert('CMYK').save(str(tmp_path / 'cmyk.tif'))
    turned = base.transpose(Image.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned.save(str(tmp_path / 'turned.png'), exif=exif)
    turned.save(str(tmp_path / 'turned.jpg'), exif=exif, quality=95)

    pixels = {path.name: rgb(path) for path in tmp_path.iterdir()}
    assert {image.shape for image in pixels.values()} == {(20, 40, 3)}
    np.testing.assert_array_equal(pixels['gray16.png'][..., 0], gray >> 8)
    np.testing.assert_array_equal(pixels['alpha.png'][4, 3], 255)
    np.testing.assert_array_equal(pixels['alpha.png'][0], np.asarray(base)[0])
    np.testing.assert_array_equal(pixels['palette.png'][0, 0], 255)
    np.testing.assert_array_equal(pixels['turned.png'], np.asarray(base))
    first = np.asarray(Image.open(str(tmp_path / 'many.gif')).convert('RGB'))
    np.testing.assert_array_equal(pixels['many.gif'], first)
    # A JPEG has the pixels that TensorFlow's decoder returns
    data = (tmp_path / 'turned.jpg').read_bytes()
    decoded = generator_decoder(data)
    turned_back = read.read_image(data, 'turned.jpg', generator_decoder)
    np.testing.assert_array_equal(np.asarray(turned_back), np.rot90(decoded, -1))


@pytest.fixture
def generator_decoder(trained):
    with load(trained) as generator:
        yield generator._network.decode_jpeg


def test_damaged_files_are_rejected_or_read(trained, tmp_path):
    """Damaged files of each kind: an image or one DataError that names the file, nothing else."""
    base = Image.fromarray(pair_pixels(3, 48, 32))
    rng = np.random.RandomState(1)
    outcomes = set()
    with load(trained) as generator:
        for kind in ('png', 'jpg', 'gif', 'bmp', 'tif', 'webp'):
            path = tmp_path / f'x.{kind}'
            base.save(str(path))
            whole = np.frombuffer(path.read_bytes(), np.uint8)
            for _ in range(40):
                mutant = whole.copy()
                mutant[rng.randint(0, len(mutant), 4)] = rng.randint(0, 256, 4)
                try:
                    image = generator.read(mutant.tobytes(), 'the file')
                    assert image.mode == 'RGB'
                    outcomes.add('read')
                except DataError as error:
                    assert str(error).startswith('the file ') and '\n' not in str(error)
                    outcomes.add('rejected')
    assert outcomes == {'read', 'rejected'}
