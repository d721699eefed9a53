"""Odd names of files, through the commands, where only ASCII can be printed."""

import json
import os

import numpy as np
import pytest
from PIL import Image
from support.helpers import NARROW_FLAGS, contents, pair_pixels, run_real_command, write_pair

from pix2pix_tf.images import UNFINISHED

# As in the base of the image with LC_ALL=C: Python 3.7 and later would choose UTF-8 by themselves
ASCII = {'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'}

LATIN_1 = os.fsdecode(b'caf\xe9.png')
PAIRS = [LATIN_1, 'ä b#%.png', 'a.jpg', 'a.png', 'a.jpg.png']
STALE = ['a.png-outputs-2.png', 'a.png-outputs-3.png']
OTHERS = ['x-outputs-2.png', 'a.png-outputs-2.jpg', 'notes.txt']

pytestmark = pytest.mark.slow


def snapshot(folder):
    """The contents of a folder and the times of its files, which show any change."""
    paths = [folder, *folder.iterdir()]
    return contents(folder), {str(path): os.stat(str(path)).st_mtime_ns for path in paths}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data')
    for seed, name in enumerate(PAIRS):
        write_pair(os.path.join(str(folder), name), seed)
    images = [Image.fromarray(pair_pixels(seed)) for seed in (7, 8)]
    images[0].save(str(folder / 'phone.jpg'), 'MPO', save_all=True, append_images=images[1:])
    (folder / '._a.jpg').write_bytes(b'of macOS')
    for name in ('1.bmp', '2.gif'):
        (folder / name).write_bytes(b'')
    return folder


@pytest.fixture(scope='module')
def run(data, tmp_path_factory):
    """A training and an export of `data`: (output folder, [the result of each], data unchanged)."""
    out = tmp_path_factory.mktemp('out')
    (out / 'images').mkdir()
    for name in [*STALE, *OTHERS, UNFINISHED]:  # of an export that was killed
        (out / 'images' / name).write_bytes(b'')
    before = snapshot(data)
    flags = [f'--data={data}', f'--out={out}']
    results = [
        run_real_command(
            'train',
            *flags,
            f'--val_data={data}',
            '--max_steps=2',
            *NARROW_FLAGS,
            '--display_freq=2',
            environment=ASCII,
        ),
        run_real_command('export', *flags, environment=ASCII),
    ]
    return out, results, snapshot(data) == before


def test_any_name_trains_validates_and_exports(run):
    out, results, _ = run
    for result in results:
        assert (result.returncode, result.stderr) == (0, '')
    assert (out / 'model-2.index').exists()
    train, export = (result.stdout for result in results)
    assert '6 pairs in' in train and 'validation  L1' in train
    assert 'wrote 18 images of 6 pairs' in export
    kinds = ('inputs', 'outputs', 'targets')
    names = [os.fsdecode(b'caf\xe9'), 'ä b#%', 'a.jpg', 'a.png', 'a.jpg.png', 'phone']
    expected = [f'{name}-{kind}.png' for name in names for kind in kinds]
    assert set(contents(out / 'images')) == {*expected, *OTHERS}
    with open(str(out / 'metrics.json')) as file:
        reported = {os.fsencode(row['name']) for row in json.load(file)['images']}
    assert reported == {os.fsencode(name) for name in names}
    table = (out / 'metrics.csv').read_bytes()
    assert {row.split(b',')[0] for row in table.splitlines()[1:]} == reported
    # In the order of the folder, the first four are displayed
    shown = contents(out / 'development')
    assert len(shown) == 12 and {f'a.jpg.png-{kind}.png' for kind in (*kinds[::2], 2)} < set(shown)
    page = (out / 'index.html').read_bytes()
    assert b'images/caf%E9-outputs.png' in page and b'%C3%A4%20b%23%25-inputs.png' in page


def test_equal_stems_do_not_overwrite_each_other(run, data):
    out, _, _ = run
    for name in ('a.jpg', 'a.png', 'a.jpg.png'):
        with Image.open(str(data / name)) as pair, Image.open(
            str(out / 'images' / f'{name}-inputs.png')
        ) as image:
            # Eight times enlarged: the corner of the image is the corner of the half
            corner = np.array(pair)[0, 32].astype(int)
            assert np.abs(np.array(image)[0, 0] - corner).max() <= 3


def test_outputs_of_an_export_with_more_samples_do_not_stay(run):
    out, _, _ = run
    present = os.listdir(str(out / 'images'))
    assert not set(present) & set(STALE)
    assert set(OTHERS) <= set(present)


def test_both_commands_name_the_files_that_they_leave_out(run, data):
    for result in run[1]:
        lines = [line for line in result.stdout.splitlines() if line.startswith('leaving out')]
        assert lines == [
            f'leaving out 2 files of {data} that are not JPEG or PNG: 1.bmp, 2.gif; '
            'convert them to use them'
        ]


def test_the_data_folder_is_only_read(run):
    assert run[2]
