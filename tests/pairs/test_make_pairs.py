"""Pairs from photos: computed inputs, resuming, growing folders, and refusals."""

import hashlib
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from support.helpers import (
    contents,
    error_line,
    run_command,
    write_cut_off,
)
from support.photos import make, pair_of, tree, write_photo

from pix2pix_tf.pairs import halves, inputs, match
from pix2pix_tf.pairs import make as make_module
from pix2pix_tf.system import locks


@pytest.mark.parametrize('kind', sorted(inputs.KINDS))
def test_the_left_half_is_the_photo_and_the_right_half_is_computed(photos, tmp_path, kind):
    result = make(photos, tmp_path / 'to', f'--input={kind}', '--processes=1')
    assert (result.returncode, result.stderr) == (0, '')
    assert 'made 12 pairs in' in result.stdout
    extension = 'png' if kind == 'posterize' else 'jpg'
    photo, computed = pair_of(tmp_path / 'to' / f'1.{extension}')
    with Image.open(str(photos / '1.jpg')) as image:
        assert np.abs(np.array(image).astype(int) - photo).mean() < 3
    assert computed.shape == photo.shape
    if kind == 'edges':
        assert np.mean((computed < 64) | (computed > 191)) > 0.95
    elif kind == 'gray':
        assert np.ptp(computed, axis=2).max() <= 4
    elif kind == 'mask':
        assert 0.2 < np.mean(computed.min(axis=2) > 245) < 0.6
    elif kind == 'posterize':
        assert len(np.unique(computed.reshape(-1, 3), axis=0)) <= 8
    else:
        assert np.abs(np.diff(computed, axis=1)).mean() < np.abs(np.diff(photo, axis=1)).mean()


def test_the_same_seed_makes_the_same_bytes_on_any_number_of_cores(photos, tmp_path):
    split = '--split=train:0.75,val:0.25'
    for name, flags in (('1', ['--processes=1']), ('3', ['--processes=3'])):
        make(photos, tmp_path / name, '--input=mask', '--seed=5', split, *flags)
    make(photos, tmp_path / 'other', '--input=mask', '--seed=6', split)
    trees = {name: tree(tmp_path / name) for name in ('1', '3', 'other')}
    assert trees['1'] == trees['3']
    assert len(trees['1']) == 13 and 'pairs.json' in trees['1']
    assert sum(name.startswith('val') for name in trees['1']) == 3
    assert trees['other'] != trees['1']


def test_only_new_pairs_are_made(photos, tmp_path):
    to = tmp_path / 'to'
    flags = ['--split=train:0.75,val:0.25']
    make(photos, to, *flags)
    before = {path: os.stat(str(to / path)).st_mtime_ns for path in tree(to) if 'pairs' not in path}
    write_photo(photos / 'more' / '1.jpg', 77)
    write_photo(photos / 'again.png', 3)  # a copy of 3.jpg
    [part] = [path.split('/')[0] for path in before if path.endswith('/3.jpg')]
    result = make(photos, to, *flags)
    assert 'made 2 pairs' in result.stdout and '12 were there' in result.stdout
    after = tree(to)
    assert {path: os.stat(str(to / path)).st_mtime_ns for path in before} == before
    assert f'{part}/again.jpg' in after  # with its near-duplicate
    assert {'train/more-1.jpg', 'val/more-1.jpg'} & set(after)


def test_grey_is_another_name_of_gray_in_flags_and_records(photos, tmp_path):
    assert make(photos, tmp_path / 'new', '--input=gray').returncode == 0
    assert make(photos, tmp_path / 'old', '--input=grey').returncode == 0
    assert tree(tmp_path / 'new') == tree(tmp_path / 'old')
    record = tmp_path / 'old' / 'pairs.json'  # as an older version wrote it
    record.write_text(record.read_text().replace('"input": "gray"', '"input": "grey"'))
    for kind in ('gray', 'grey'):
        result = make(photos, tmp_path / 'old', f'--input={kind}')
        assert (result.returncode, result.stderr) == (0, '') and '12 were there' in result.stdout


def test_a_bug_is_reported_with_its_traceback_on_request(photos, monkeypatch, tmp_path, capsys):
    def build(options, source):
        raise TypeError('a bug')

    for level, shown in (('0', True), ('1', False)):
        monkeypatch.setenv('TF_CPP_MIN_LOG_LEVEL', level)
        output = make_module.Output(str(tmp_path / level), {}, processes=1)
        found = match.find_photos(str(photos))._replace(pairs=[match.PairFiles('x', ('x.jpg',))])
        made = make_module.make_pairs(found, build, halves.PairOptions(), output)
        assert made.left_out == ['x.jpg cannot be made into a pair (TypeError: a bug)']
        assert ("raise TypeError('a bug')" in capsys.readouterr().err) == shown


def test_other_options_or_other_files_in_the_folder_are_refused(photos, tmp_path):
    to = tmp_path / 'to'
    make(photos, to, '--size=16')
    before = tree(to)
    line = error_line(make(photos, to, '--size=32'), 2)
    assert line.startswith(f'pix2pix-pairs: {to} was made with --size 16, not 32')
    (to / 'pairs.json').write_text('{')
    assert 'pairs.json is damaged' in error_line(make(photos, to, '--size=16'), 1)
    (to / 'pairs.json').unlink()
    assert 'has files already' in error_line(make(photos, to, '--size=16'), 2)
    del before['pairs.json']
    assert tree(to) == before
    other = tmp_path / 'other'
    write_photo(other / '1.jpg')
    make(other, tmp_path / 'second')
    line = error_line(make(photos, tmp_path / 'second'), 2)
    assert f'was made from {other}, not {photos}' in line
    for inside in (photos / 'to', photos, tmp_path):
        assert 'is in it or around it' in error_line(make(photos, inside), 2)


def test_two_runs_into_one_folder_are_refused(photos, tmp_path):
    to = tmp_path / 'to'
    to.mkdir()
    with locks.locked(str(to), work='making pairs'):
        line = error_line(make(photos, to), 1)
    assert f'process {os.getpid()} is making pairs in {to}: wait for it' in line
    assert tree(to) == {}


def test_every_file_that_is_left_out_has_its_reason(photos, tmp_path):
    (photos / 'notes.txt').write_text('no image')
    (photos / 'bad.jpg').write_bytes(b'no image')
    (photos / 'folder.png').mkdir()
    write_cut_off(photos / 'half.jpg')
    shutil.copy(str(photos / '1.jpg'), str(photos / '1.jpeg'))
    Image.new('L', (4097, 4096)).save(str(photos / 'large.png'))
    write_photo(photos / 'a' / 'b.jpg', 20)
    result = make(photos, tmp_path / 'to', '--input=gray')
    assert (result.returncode, result.stderr) == (0, '')
    lines = [line for line in result.stdout.splitlines() if line.startswith('left out: ')]
    for name, words in (
        ('notes.txt', 'is not an image, by its extension'),
        ('bad.jpg', 'cannot be read as an image (unknown format)'),
        ('half.jpg', 'cannot be read as an image (image file is truncated'),
        ('1.jpg', 'has the name of'),
        ('large.png', 'would be a pair of 8194x4096 pixels'),
    ):
        assert [line for line in lines if f'{photos}/{name} {words}' in line], (name, lines)
    assert len(lines) == 5
    assert len(tree(tmp_path / 'to')) == 12 + 1 + 1
    assert os.path.exists(str(tmp_path / 'to' / 'a' / 'b.jpg'))


@pytest.mark.parametrize(
    'command', ['make --photos={}', 'combine --a={} --b={}', 'split {}', 'import {} --panels=a,b']
)
def test_an_image_too_large_for_a_pair_is_refused_by_its_header(tmp_path, command):
    (tmp_path / 'data').mkdir()
    Image.new('1', (8194, 8192)).save(str(tmp_path / 'data' / '1.png'))
    words = command.replace('{}', str(tmp_path / 'data')).split()
    result = run_command('pairs', *words, f'--to={tmp_path}/to', '--processes=1')
    said = f'{tmp_path}/data/1.png has 8194x8192 pixels, over {2**26}: scale it down'
    assert result.returncode == 1 and said in result.stdout
    assert set(tree(tmp_path / 'to')) <= {'pairs.json'}


@pytest.mark.parametrize(
    'flags, words',
    [
        ([], 'none is given'),
        (['mak'], 'mak is not one'),
        (['make'], '--photos is missing'),
        (['make', '--photos=x'], '--to is missing'),
        (['make', '--photos=x', '--to=y', '--a=z'], '--a is not a flag of pix2pix-pairs make'),
        (['make', '--photos=x', '--to=y', '--size=0'], 'size'),
        (['make', '--photos=x', '--to=y', '--input=noise'], 'input'),
        (['make', '--photos=x', '--to=y', '--split=train:0.8'], '--split is'),
        (['make', '--photos=x', '--to=y', '--split=80/20'], '--split is'),
        (['make', '--photos=x', '--to=y', '--split=a:1', '--group=('], '--group is'),
        (['make', '--photos=x', '--to=y', '--group=(.)'], '--group needs --split'),
        (['make', '--photos=x', '--to=y', '--background=blau'], '--background is'),
        (['combine', '--a=x', '--b=y', '--to=z', '--match=label'], '--match is'),
        (['import', 'x', '--to=y', '--panels=a,a'], '--panels is'),
        (['swap', '--to=y'], 'give one folder'),
    ],
)
def test_wrong_usage_is_one_line(tmp_path, flags, words):
    for name in ('x', 'y'):
        write_photo(tmp_path / name / '1.png')
    result = run_command('pairs', *flags, cwd=str(tmp_path))
    assert words in error_line(result, 2)


def test_names_of_any_bytes_are_kept(tmp_path, photos):
    odd = os.fsdecode(b'caf\xe9 #%.jpg')
    shutil.copy(str(photos / '1.jpg'), os.path.join(str(photos), odd))
    assert make(photos, tmp_path / 'to', '--split=a:1').returncode == 0
    assert make(photos, tmp_path / 'to', '--split=a:1').returncode == 0
    assert odd in contents(tmp_path / 'to' / 'a')


def test_a_mask_depends_on_the_name_alone(photos):
    settings = halves.PairOptions(kind='mask', extension='png')
    digests = {
        hashlib.sha256(halves.pair_of_photo(settings, one)[0]).hexdigest()
        for one in [match.PairFiles('x', (str(photos / '1.jpg'),))] * 2
        + [match.PairFiles('y', (str(photos / '1.jpg'),))]
    }
    assert len(digests) == 2


def test_linked_folders_are_read_once(photos, tmp_path):
    (photos / 'linked').symlink_to(tmp_path / 'elsewhere')
    write_photo(tmp_path / 'elsewhere' / 'x.jpg', 20)
    (tmp_path / 'elsewhere' / 'round').symlink_to(photos)
    result = make(photos, tmp_path / 'to', '--input=gray', '--processes=1')
    assert (result.returncode, result.stderr) == (0, '')
    made = set(tree(tmp_path / 'to')) - {'pairs.json'}
    assert made == {*(f'{number}.jpg' for number in range(12)), 'linked/x.jpg'}


def test_panels_that_are_label_maps_keep_their_colors(tmp_path):
    colors = np.array([[0, 0, 170], [170, 255, 85]], np.uint8)
    labels = colors[np.random.RandomState(1).randint(0, 2, (30, 30))]
    (tmp_path / 'data').mkdir()
    photo = np.random.RandomState(2).randint(0, 256, (30, 30, 3)).astype(np.uint8)
    pair = Image.fromarray(np.concatenate([photo, labels], axis=1))
    pair.save(str(tmp_path / 'data' / '1.png'))
    flags = [f'--to={tmp_path}/to', '--panels=a,b', '--size=64', '--processes=1']
    result = run_command('pairs', 'import', tmp_path / 'data', *flags)
    assert (result.returncode, result.stderr) == (0, '')
    _, half = pair_of(tmp_path / 'to' / '1.png')
    assert {tuple(color) for color in half.reshape(-1, 3)} == {(0, 0, 170), (170, 255, 85)}
