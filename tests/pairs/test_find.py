"""Finding pairs: bad files are named at once, and none crashes, hangs or takes much memory."""

import json
import os
import sys

import pytest
from PIL import Image
from support.encoding import encoded
from support.helpers import error_line, pair_pixels, run_command, run_process, write_pair
from support.odd_files import WHOLE, mutants, with_png_size

from pix2pix_tf.pairs import find
from pix2pix_tf.system.errors import DataError


def test_numeric_names_are_sorted_by_number(tmp_path):
    for name in ('10.jpg', '9.png', '1.JPEG', 'b.jpg', 'a.jpg', 'notes.txt'):
        (tmp_path / name).write_bytes(b'')
    names = [os.path.basename(path) for path in find.find_images(str(tmp_path))[0]]
    assert names == ['1.JPEG', '9.png', '10.jpg', 'a.jpg', 'b.jpg']


@pytest.mark.parametrize('contents', [b'', b'GIF89a', b'no image', b'\xff\xd8\xff\xe0\x00\x10JFIF'])
def test_files_that_are_not_images_are_named(tmp_path, contents):
    (tmp_path / '1.jpg').write_bytes(contents)
    with pytest.raises(DataError) as error:
        find.find_pairs(str(tmp_path))
    assert str(error.value).startswith(str(tmp_path / '1.jpg'))


def test_all_bad_files_are_listed_at_once(tmp_path):
    write_pair(tmp_path / 'good.jpg')
    for number in range(25):
        (tmp_path / f'{number}.jpg').write_bytes(b'no image')
    with pytest.raises(DataError) as error:
        find.find_pairs(str(tmp_path))
    message = str(error.value)
    named = [number for number in range(25) if f'{tmp_path}/{number}.jpg ' in message]
    assert named == list(range(20))
    assert message.endswith(
        '; and 5 more: repair or remove them, or skip them with `skip_bad_files`'
    )


def test_one_bad_file_is_one(tmp_path):
    write_pair(tmp_path / 'good.jpg')
    (tmp_path / 'bad.jpg').write_bytes(b'no image')
    with pytest.raises(DataError) as error:
        find.find_pairs(str(tmp_path))
    assert str(error.value).endswith(': repair or remove it, or skip it with `skip_bad_files`')


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
        find.find_pairs(str(tmp_path), skip_bad_files=True)


def test_folders_and_pipes_are_named_and_never_waited_for(tmp_path):
    (tmp_path / 'folder.jpg').mkdir()
    os.mkfifo(str(tmp_path / 'pipe.jpg'))
    (tmp_path / 'link.jpg').symlink_to(tmp_path / 'nowhere')
    faults = {
        name: find.read_header(str(tmp_path / name)).fault for name in os.listdir(str(tmp_path))
    }
    assert faults['folder.jpg'] == faults['pipe.jpg'] == 'is not a file'
    assert faults['link.jpg'] == 'cannot be read as an image (No such file or directory)'


@pytest.mark.parametrize('width, height', [(60000, 60000), (4098, 4096), (2**31 - 2, 2**31 - 1)])
def test_huge_images_are_refused_by_their_header(tmp_path, width, height):
    png = encoded(Image.fromarray(pair_pixels(1)), 'PNG')
    (tmp_path / '1.png').write_bytes(with_png_size(png, width, height))
    fault = find.read_header(str(tmp_path / '1.png')).fault
    assert f'more than {find.MAX_PIXELS}' in fault


READER = """
import json, resource, sys
import tensorflow.compat.v1 as tf
from pix2pix_tf import dataset
from pix2pix_tf.pairs import find
from pix2pix_tf.system import compat
from pix2pix_tf.config import Config

def peak():  # in KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

compat.use_graph_mode()
path = tf.placeholder(tf.string)
raw = dataset.decode_image(tf.read_file(path))
image = dataset.process_image(raw, None, Config())
answers = {}
with tf.Session() as session:
    session.run(image, {path: sys.argv[2]})
    before = peak()
    for name in find.find_images(sys.argv[1])[0]:
        fault = find.read_header(name).fault
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


def test_500_mutants_neither_crash_nor_hang_nor_take_much_memory(tmp_path):
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

    def counting(path, **options):
        file = open(path, 'rb')  # noqa: SIM115
        opened.append(file)
        return original(file, **options)

    monkeypatch.setattr(Image, 'open', counting)
    assert find.read_header(str(tmp_path / '1.png')).fault is None
    [file] = opened
    assert file.tell() < 4096 < size
    file.close()
