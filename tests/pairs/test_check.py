"""The check of a dataset: faults, doubts, the page, and the note of a training."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.helpers import NARROW, error_line, run_command
from support.photos import write_photo

from pix2pix_tf import training
from pix2pix_tf.pairs import check, duplicates, halves, inputs


def write_pair(path, seed, other=None, labels=False, **options):
    """A pair of an image of blocks and its edges, or those of another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    photo, source = (
        Image.fromarray(
            np.random.RandomState(number).randint(0, 256, (blocks, blocks, 3)).astype(np.uint8)
        ).resize((72, 72), Image.NEAREST)
        for number, blocks in ((seed, 9), (seed, 9) if other is None else (other, 5))
    )
    half = inputs.edges(source, inputs.Parameters(), None)
    if labels:
        half = Image.new('RGB', half.size, (0, 0, 255))
        half.paste((255, 0, 0), (0, 0, 18, 72))
    halves.side_by_side(photo, half).save(str(path), **options)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / 'data'
    for number in range(12):
        write_pair(folder / 'train' / f'{number}.png', number)
    for number in range(3):
        write_pair(folder / 'val' / f'{number}.png', 100 + number)
    return folder


def run_check(data, out, *flags):
    return run_command('pairs', 'check', data, f'--out={out}', '--processes=1', *flags)


def test_a_good_dataset_has_no_faults(data, tmp_path):
    result = run_check(data, tmp_path / 'out')
    assert (result.returncode, result.stderr) == (0, '')
    few, flip, last = result.stdout.splitlines()
    assert few.startswith(
        '12 pairs to train on: the smallest dataset of the paper, facades, has 400'
    )
    assert flip.startswith('before you train with --flip, look for text, traffic or anything')
    assert last == f'15 pairs checked; open {tmp_path}/out/check.html'
    report = json.loads((tmp_path / 'out' / 'check.json').read_text())
    assert report['warnings'] == [few]
    assert report['faults'] == report['copies'] == report['doubtful'] == []
    assert [(part['name'], part['pairs'], part['sizes']) for part in report['parts']] == [
        ('train', 12, '72x72'),
        ('val', 3, '72x72'),
    ]
    assert len(report['files']) == 15 and report['files'][0]['format'] == 'PNG'
    page = (tmp_path / 'out' / 'check.html').read_text()
    assert 'Fit for a training, with 1 doubt.' in page and page.count('<figure>') == 15
    assert not re.search('(src|href)="http', page)


def test_bad_files_and_leaks_fail(data, tmp_path):
    (data / 'train' / 'bad.jpg').write_bytes(b'no image')
    whole = (data / 'train' / '3.png').read_bytes()
    (data / 'train' / 'half.png').write_bytes(whole[: len(whole) // 2])
    shutil.copy(str(data / 'train' / '5.png'), str(data / 'val' / 'same.png'))
    write_pair(data / 'val' / 'near.jpg', 7, quality=60)
    result = run_check(data, tmp_path / 'out')
    assert f'{data} is not fit for a training' in error_line(result, 1)
    for words in (
        f'{data}/train/bad.jpg cannot be read as an image',
        f'{data}/train/half.png cannot be read as an image',
        f'{data}/val/same.png is a copy of {data}/train/5.png: remove one of them',
        f'{data}/val/near.jpg is a copy of {data}/train/7.png: remove one of them',
    ):
        assert words in result.stdout
    report = json.loads((tmp_path / 'out' / 'check.json').read_text())
    assert len(report['faults']) == 4 and len(report['copies']) == 2


def test_halves_that_do_not_belong_together_are_doubted(data, tmp_path):
    write_pair(data / 'train' / 'wrong.png', 20, other=30)
    result = run_check(data, tmp_path / 'out')
    assert result.returncode == 0
    assert f'{data}/train/wrong.png has halves with fewer edges in common' in result.stdout
    report = check.check_dataset(str(data / 'train'), processes=1)
    assert report.doubtful == [f'{data}/train/wrong.png'] and not report.faults
    result = run_check(data, tmp_path / 'out', '--doubt_below=0')
    assert 'fewer edges in common' not in result.stdout


def test_inputs_that_were_computed_from_their_photos_are_not_doubted(data, tmp_path):
    write_pair(data / 'train' / 'wrong.png', 20, other=30)
    (data / 'pairs.json').write_text('{"recipe": {"command": "make", "input": "edges"}}')
    for folder in (data, data / 'train'):
        result = run_check(folder, tmp_path / 'out')
        assert result.returncode == 0 and 'edges in common' not in result.stdout


def test_single_images_and_bad_files_are_told_apart(tmp_path):
    for number in range(3):
        write_photo(tmp_path / 'data' / f'{number}.jpg', number, (64, 64))
    (tmp_path / 'data' / 'bad.jpg').write_text('no image')
    result = run_check(tmp_path / 'data', tmp_path / 'out')
    assert 'is not fit for a training' in error_line(result, 1)
    assert f'most files in {tmp_path}/data/ are no wider than high: are they' in result.stdout
    page = (tmp_path / 'out' / 'check.html').read_text()
    assert 'Not fit for a training: 1 fault.' in page


def test_label_colors_have_their_share(tmp_path):
    for number in range(3):
        write_pair(tmp_path / 'data' / f'{number}.png', number, labels=True)
    run_check(tmp_path / 'data', tmp_path / 'out')
    report = json.loads((tmp_path / 'out' / 'check.json').read_text())
    assert report['labels']['B'] == pytest.approx({'#0000ff': 0.75, '#ff0000': 0.25})


def test_a_folder_without_pairs_is_named(tmp_path):
    line = error_line(run_check(tmp_path / 'none', tmp_path / 'out'), 1)
    assert f'no data folder {tmp_path}/none: give one' in line


def test_a_training_says_that_it_shares_images_with_its_validation(data, tmp_path, capsys):
    shutil.copy(str(data / 'train' / '5.png'), str(data / 'val' / 'same.png'))
    config = replace(NARROW, max_steps=1)
    training.train(str(data / 'train'), str(tmp_path / 'out'), config, str(data / 'val'))
    printed = capsys.readouterr().out
    line = (
        f'1 of 4 images in {data}/val is also in the training set ({data}/val/same.png is '
        f'{data}/train/5.png): metrics will be too optimistic\n'
    )
    assert printed.count(line) == 1
    (data / 'val' / 'same.png').unlink()
    paths = [str(path) for path in (data / 'train').iterdir()]
    assert (
        duplicates.describe_shared(paths, str(data / 'val'))
        == duplicates.describe_shared(paths, str(data / 'none'))
        == []
    )


def test_a_flat_half_has_no_edges_in_common():
    flat, photo = Image.new('RGB', (9, 9)), Image.new('RGB', (9, 9), 'red')
    assert check._correlation(flat, photo) == 0.0


def test_pairs_from_make_pass_the_check(tmp_path):
    for number in range(10):
        write_photo(tmp_path / 'photos' / f'{number}.jpg', number, (64, 64))
        write_photo(tmp_path / 'photos' / f'copy{number}.png', number, (60, 60))
    flags = [f'--photos={tmp_path}/photos', f'--to={tmp_path}/data']
    result = run_command('pairs', 'make', *flags, '--split=train:0.7,val:0.3', '--size=48')
    assert '14 in train; 6 in val' in result.stdout
    assert run_check(tmp_path / 'data', tmp_path / 'out').returncode == 0
