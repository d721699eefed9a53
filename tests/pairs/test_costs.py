"""Small files that would take minutes or gigabytes are refused by name, in all that read images."""

import io
import resource

import numpy as np
import pytest
from PIL import Image
from support.encoding import encoded
from support.helpers import error_line, pair_pixels, write_pair
from support.odd_files import (
    compressed_bmp,
    exif_block,
    icon,
    shared_tags,
    with_chunks,
    with_png_size,
    with_scans,
)
from support.photos import run_pairs
from werkzeug import exceptions

from pix2pix_tf.pairs import costs, find, read
from pix2pix_tf.serve import image_request

PROGRESSIVE = encoded(pair_pixels(1), 'JPEG', progressive=True)
PNG = encoded(pair_pixels(1), 'PNG')

EXPENSIVE = {
    'scans.jpg': (with_scans(PROGRESSIVE, 200), 'has over 100 scans'),
    'chunks.png': (with_chunks(PNG, 70000), 'has over 65536 chunks'),
    'pixels.png': (with_chunks(PNG, 70000, b'IDAT'), 'has over 65536 chunks'),
    'fill.jpg': (PROGRESSIVE[:2] + b'\xff' * 70000 + PROGRESSIVE[2:], 'has over 65536 segments'),
    'narrow.png': (with_png_size(PNG, 2, 2**23), 'has 2x8388608 pixels, and over 65535'),
    'rle.bmp': (compressed_bmp(2**14, 2**10), 'has the compression of BMP: save it as PNG'),
}


@pytest.mark.parametrize('name', sorted(EXPENSIVE))
def test_all_that_read_images_refuse_it_in_one_line(tmp_path, name):
    contents, words = EXPENSIVE[name]
    path = tmp_path / 'photos' / name
    path.parent.mkdir()
    path.write_bytes(contents)
    assert find.read_header(str(path)).fault.startswith(words)  # of a training and an export
    with pytest.raises(read.TooExpensive) as error:  # predict
        read.read_image(contents, str(path), decode_jpeg=pytest.fail)
    assert str(error.value).startswith(f'{path} {words}')
    with pytest.raises(exceptions.RequestEntityTooLarge) as error:  # serve
        image_request.read_pixels(None, contents, image_request.Limits())
    assert error.value.description.startswith(f'the image {words}')
    Image.new('RGB', (64, 64)).save(str(path.parent / 'good.png'))
    result = run_pairs('make', f'--photos={path.parent}', f'--to={tmp_path}/to', '--input=gray')
    assert f'left out: {path} {words}' in result.stdout
    assert 'made 1 pair' in result.stdout


@pytest.mark.parametrize('content', ['noise', 'flat'])
@pytest.mark.parametrize('mode', ['RGB', 'L', 'CMYK'])
@pytest.mark.parametrize('progressive', [False, True])
def test_ordinary_jpeg_files_are_not_expensive(mode, progressive, content):
    pixels = np.random.RandomState(1).randint(0, 256, (256, 256, 3)).astype(np.uint8)
    image = Image.fromarray(pixels if content == 'noise' else 0 * pixels).convert(mode)
    jpeg = encoded(image, 'JPEG', progressive=progressive, exif=exif_block(1))
    for contents in (jpeg, with_scans(jpeg, 80) if progressive else jpeg * 200):
        assert costs.fault_of(io.BytesIO(contents)) is None
    for cut in range(0, len(jpeg), 997):
        assert costs.fault_of(io.BytesIO(jpeg[:cut])) is None


def test_the_single_scan_of_a_jpeg_file_is_not_read_with_the_header():
    file = io.BytesIO(encoded(pair_pixels(1, 2048, 1024), 'JPEG'))
    assert costs.fault_of(file) is None
    assert file.tell() < 1024 < len(file.getvalue())


def test_scans_of_single_channels_are_counted_as_well():
    """A JPEG file that is not progressive may also have many."""
    jpeg = encoded(pair_pixels(1), 'JPEG')
    at = jpeg.index(b'\xff\xda')
    one = b'\xff\xda\0\x08\x01\x01\0\0\x3f\0'  # the header of a scan of the first channel
    assert costs.fault_of(io.BytesIO(jpeg[:at] + one * 101 + b'\xff\xd9')).startswith('has over')
    assert costs.fault_of(io.BytesIO(jpeg[:at] + one * 99 + b'\xff\xd9')) is None


def test_icons_are_refused_for_the_images_inside():
    dib = compressed_bmp(16, 16)[14:]
    for contents, words in ((dib, 'BMP'), (with_chunks(PNG, 70000), 'chunks')):
        with pytest.raises(read.TooExpensive, match=words):
            read.read_image(icon(contents), 'x.ico')
    stream = io.BytesIO()
    Image.new('RGB', (16, 16), 'red').save(stream, 'ICO')
    assert read.read_image(stream.getvalue(), 'x.ico').getpixel((3, 3)) == (255, 0, 0)


def test_tags_that_share_their_bytes_cost_no_memory(tmp_path):
    """To Pillow 9.5, EXIF of 1 MB cost 1.9 GB."""
    block = shared_tags(2000, 2**20)
    png = encoded(pair_pixels(1), 'PNG', exif=b'Exif\0\0' + block)
    (tmp_path / '1.png').write_bytes(png)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert find.read_header(str(tmp_path / '1.png')).fault is None
    assert read.read_image(png, 'x').size == Image.open(io.BytesIO(png)).size
    with pytest.raises(read.TooExpensive, match='has tags of 2097132000 bytes'):
        read.read_image(block, 'x.tif')
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**16  # KiB
    tiff = encoded(pair_pixels(1), 'TIFF')
    assert read.read_image(tiff, 'x').size == Image.open(io.BytesIO(tiff)).size


def damaged_exif():
    """What damage does to EXIF: other bytes, and its end missing."""
    rng = np.random.RandomState(1)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x011A] = 1, 'a camera', 72.0
    whole = exif.tobytes()
    for number in range(300):
        block = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            block[rng.randint(6, len(block))] = rng.randint(256)
        if number % 3 == 0:
            del block[rng.randint(6, len(block)) :]
        yield bytes(block)


@pytest.mark.parametrize('format', ['JPEG', 'PNG'])
def test_damaged_exif_does_not_damage_the_image(tmp_path, format):
    path, image = str(tmp_path / '1'), Image.new('RGB', (16, 8))
    for exif in damaged_exif():
        contents = encoded(image, format, exif=exif)
        with open(path, 'wb') as file:
            file.write(contents)
        fault = find.read_header(path).fault or 'has the EXIF orientation'
        assert 'has the EXIF orientation' in fault
        assert sorted(read.read_image(contents, path).size) == [8, 16]


def test_a_training_names_such_a_file(tmp_path):
    write_pair(tmp_path / '1.jpg')
    (tmp_path / '2.jpg').write_bytes(with_scans(PROGRESSIVE, 200))
    line = error_line(run_pairs('check', str(tmp_path), f'--out={tmp_path}/out'), 1)
    assert 'not fit for a training' in line
    with pytest.raises(Exception, match='2.jpg has over 100 scans'):
        find.find_pairs(str(tmp_path))
