"""Files of any bytes: bad ones are found at once, and none crashes, hangs or eats memory."""

import io
import json
import os
import struct
import sys
import zlib

import numpy as np
import pytest
from helpers import error_line, pair_pixels, run_command, run_process, write_pair
from PIL import Image

from pix2pix_tf.pairs import folders
from pix2pix_tf.system.errors import DataError


def encoded(image, format_, **options):
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    return stream.getvalue()


def with_png_size(png, width, height):
    """A PNG file whose header says another size, with the checksum to match."""
    header = png[12:16] + struct.pack('>II', width, height) + png[24:29]
    return png[:12] + header + struct.pack('>I', zlib.crc32(header)) + png[33:]


def with_jpeg_size(jpeg, width, height):
    """A JPEG file whose frame header says another size."""
    at = jpeg.index(b'\xff\xc0') + 5
    return jpeg[:at] + struct.pack('>HH', height, width) + jpeg[at + 4 :]


def test_all_bad_files_are_listed_at_once(tmp_path):
    write_pair(tmp_path / 'good.jpg')
    for number in range(25):
        (tmp_path / f'{number}.jpg').write_bytes(b'no image')
    with pytest.raises(DataError) as error:
        folders.find_pairs(str(tmp_path))
    message = str(error.value)
    named = [number for number in range(25) if f'{tmp_path}/{number}.jpg ' in message]
    assert named == list(range(20))
    assert '; and 5 more: repair or remove them' in message


def test_bad_files_can_be_skipped(tmp_path):
    data = tmp_path / 'data'
    for number in range(4):
        write_pair(data / f'{number}.jpg', number)
    (data / '4.jpg').write_bytes(b'no image')
    (data / '5.jpg').mkdir()
    flags = ['train', f'--data={data}', f'--out={tmp_path / "out"}', '--ngf=4', '--ndf=4']
    line = error_line(run_command(*flags), 1)
    assert f'{data}/4.jpg ' in line and f'{data}/5.jpg is not a file' in line
    result = run_command(*flags, '--skip_bad_files', '--max_epochs=1')
    assert (result.returncode, result.stderr) == (0, '')
    assert 'skipping 2 bad files of 6' in result.stdout
    assert 'trained to step 4' in result.stdout


def test_a_folder_of_bad_files_only_cannot_be_skipped(tmp_path):
    (tmp_path / '1.jpg').write_bytes(b'')
    with pytest.raises(DataError):
        folders.find_pairs(str(tmp_path), skip_bad_files=True)


def test_anything_but_a_file_is_named_and_never_waited_for(tmp_path):
    (tmp_path / 'folder.jpg').mkdir()
    os.mkfifo(str(tmp_path / 'pipe.jpg'))
    (tmp_path / 'link.jpg').symlink_to(tmp_path / 'nowhere')
    faults = {
        name: folders.read_header(str(tmp_path / name)).fault for name in os.listdir(str(tmp_path))
    }
    assert faults['folder.jpg'] == faults['pipe.jpg'] == 'is not a file'
    assert faults['link.jpg'] == 'cannot be read as an image (No such file or directory)'


@pytest.mark.parametrize('width, height', [(60000, 60000), (4098, 4096), (2**31 - 2, 2**31 - 1)])
def test_huge_images_are_refused_by_their_header(tmp_path, width, height):
    png = encoded(Image.fromarray(pair_pixels(1)), 'PNG')
    (tmp_path / '1.png').write_bytes(with_png_size(png, width, height))
    fault = folders.read_header(str(tmp_path / '1.png')).fault
    assert f'more than {folders.MAX_PIXELS}' in fault


# The first of the mutants, which are valid
WHOLE = (
    'rgb.jpg',
    'progressive.jpg',
    'grey.jpg',
    'cmyk.jpg',
    'rgb.png',
    'palette.png',
    'grey16.png',
    'animated.png',
)


def mutants():
    """500 (name, bytes): what can be in a folder of images, the same ones each time."""
    rng = np.random.RandomState(12)
    image = Image.fromarray(pair_pixels(2, 128, 64))
    grey16 = Image.fromarray((np.arange(64 * 128).reshape(64, 128) * 8).astype(np.uint16))
    whole = {
        'rgb.jpg': encoded(image, 'JPEG'),
        'progressive.jpg': encoded(image, 'JPEG', progressive=True),
        'grey.jpg': encoded(image.convert('L'), 'JPEG'),
        'cmyk.jpg': encoded(image.convert('CMYK'), 'JPEG'),
        'rgb.png': encoded(image, 'PNG'),
        'palette.png': encoded(image.convert('P'), 'PNG'),
        'grey16.png': encoded(grey16, 'PNG'),
        'animated.png': encoded(image, 'PNG', save_all=True, append_images=[image] * 3),
        'animated.jpg': encoded(
            image.convert('P'), 'GIF', save_all=True, append_images=[image.convert('P')] * 3
        ),
        'empty.jpg': b'',
        'empty.png': b'',
    }
    result = sorted(whole.items())
    bases = [name for name in sorted(whole) if whole[name]]
    while len(result) < 500:
        name = bases[rng.randint(len(bases))]
        contents = bytearray(whole[name])
        kind = len(result) % 4
        if kind == 0:
            contents = contents[: rng.randint(1, len(contents))]
        elif kind == 1:
            for _ in range(rng.randint(1, 20)):
                contents[rng.randint(len(contents))] ^= 1 << rng.randint(8)
        elif kind == 2:
            start = rng.randint(len(contents))
            contents[start : start + 16] = rng.bytes(rng.randint(40))
        else:
            sizes = [2, 126, 130, 4096, 65534]
            size = sizes[rng.randint(len(sizes))], sizes[rng.randint(len(sizes))]
            if name.endswith('.png'):
                contents = with_png_size(bytes(contents), *size)
            elif name in ('rgb.jpg', 'grey.jpg', 'cmyk.jpg'):
                contents = with_jpeg_size(bytes(contents), *size)
        result.append((f'{len(result)}-{name}', bytes(contents)))
    return result


READER = """
import json, resource, sys
import tensorflow.compat.v1 as tf
from pix2pix_tf import dataset
from pix2pix_tf.pairs import folders
from pix2pix_tf.system import runtime
from pix2pix_tf.config import Config

def peak():  # in KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

runtime.use_graph_mode()
path = tf.placeholder(tf.string)
raw = dataset.decode_image(tf.read_file(path))
image = dataset.process_image(raw, None, Config())
answers = {}
with tf.Session() as session:
    session.run(image, {path: sys.argv[2]})
    before = peak()
    for name in folders.find_images(sys.argv[1])[0]:
        fault = folders.read_header(name).fault
        if fault:
            answers[name] = 'header: ' + fault
            continue
        try:
            shape = session.run(image, {path: name}).shape
            answers[name] = 'shape %s' % (shape,)
        except tf.errors.OpError as error:
            answers[name] = 'decoder: ' + error.message
print(json.dumps({'answers': answers, 'grown': peak() - before}))
"""


def test_500_mutants_neither_crash_nor_hang_nor_eat_memory(tmp_path):
    files = mutants()
    assert len({name for name, _ in files}) == 500
    folder = tmp_path / 'mutants'
    folder.mkdir()
    for name, contents in files:
        (folder / name).write_bytes(contents)
    write_pair(tmp_path / 'good.png')
    result = run_process(sys.executable, '-c', READER, str(folder), str(tmp_path / 'good.png'))
    assert result.returncode == 0, result.stderr[-2000:]
    report = json.loads(result.stdout.splitlines()[-1])
    answers = {os.path.basename(path): answer for path, answer in report['answers'].items()}
    assert len(answers) == 500
    for name in WHOLE:
        assert answers[name] == 'shape (256, 256, 3)', (name, answers[name])
    assert answers['animated.jpg'] == 'header: is a GIF file, not JPEG or PNG'
    kinds = [answer.split(':')[0].split(' ')[0] for answer in answers.values()]
    assert min(kinds.count(kind) for kind in ('header', 'decoder', 'shape')) > 20
    assert report['grown'] < 2**20  # KiB: 1 GiB


def test_headers_are_read_without_the_pixels(tmp_path, monkeypatch):
    """This is why 100,000 files take seconds."""
    write_pair(tmp_path / '1.png', width=2048, height=1024)
    size = os.path.getsize(str(tmp_path / '1.png'))
    opened = []
    original = Image.open

    def counting(path):
        file = open(path, 'rb')  # noqa: SIM115
        opened.append(file)
        return original(file)

    monkeypatch.setattr(folders.Image, 'open', counting)
    assert folders.read_header(str(tmp_path / '1.png')).fault is None
    [file] = opened
    assert file.tell() < 4096 < size
    file.close()
