"""What is not an image in folders that people have: of systems, devices, and other programs."""

import os
import unicodedata

import pytest
from PIL import Image
from support.helpers import error_line, run_command, write_pair
from support.photos import run_pairs, tree, write_photo

from pix2pix_tf.pairs import find, read
from pix2pix_tf.system.errors import DataError

SYSTEM = [
    '@eaDir',
    '#recycle',
    '$RECYCLE.BIN',
    'System Volume Information',
    '__MACOSX',
    'lost+found',
    '.Trash-1000',
    '.Spotlight-V100',
    '@Recycle',
    '#snapshot',
    'Temporary Items',
]


def test_folders_of_systems_are_not_walked(tmp_path):
    folder = tmp_path / 'photos'
    write_photo(folder / 'x' / '1.jpg')
    for name in SYSTEM:
        write_photo(folder / 'x' / name / 'other.jpg', 5)
    for name in ('Thumbs.db', 'desktop.ini', '.DS_Store'):
        (folder / name).write_bytes(b'')
    assert find.walk_images([str(folder)]) == ([(str(folder / 'x' / '1.jpg'), 'x/1.jpg')], [])
    result = run_pairs('make', f'--photos={folder}', f'--to={tmp_path}/to', '--input=gray')
    assert result.stdout.splitlines() == [f'made 1 pair in {tmp_path}/to']
    assert 'only folders (x); choose' in error_line(
        run_command('train', f'--data={folder}', f'--out={tmp_path}/out'), 1
    )
    given = str(folder / 'x' / '@eaDir')  # whoever names it means it
    assert len(find.walk_images([given])[0]) == 1


def test_layouts_have_no_parts_of_systems(tmp_path):
    for part in ('train', '__MACOSX'):
        for side in 'AB':
            write_photo(tmp_path / 'data' / part / side / '1.jpg')
    result = run_pairs('import', f'{tmp_path}/data', f'--to={tmp_path}/to')
    assert 'made 1 pair' in result.stdout
    assert set(tree(tmp_path / 'to')) == {'train/1.jpg', 'pairs.json'}


def test_pipes_are_named_and_never_opened(tmp_path):
    folder = tmp_path / 'photos'
    write_photo(folder / '1.jpg')
    os.mkfifo(str(folder / '2.jpg'))
    assert find.walk_images([str(folder)])[1] == [str(folder / '2.jpg')]
    result = run_pairs('make', f'--photos={folder}', f'--to={tmp_path}/to', '--input=gray')
    assert f'left out: {folder}/2.jpg is not a file' in result.stdout
    with pytest.raises(DataError, match='2.jpg is not a file'):
        find.walk_images([str(folder / '2.jpg')])
    for call in (read.read_file, lambda path: read.read_for_pair(path)):
        with pytest.raises(read.Unreadable, match='2.jpg is not a file'):
            call(str(folder / '2.jpg'))


@pytest.mark.parametrize('name', ['x.eps', 'x.jpg'])
def test_no_program_is_run_for_eps(tmp_path, monkeypatch, name):
    program = tmp_path / 'bin' / 'gs'
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ntouch {tmp_path}/run\n')
    program.chmod(0o755)
    monkeypatch.setenv('PATH', str(program.parent), prepend=os.pathsep)
    path = tmp_path / 'photos' / name
    path.parent.mkdir()
    Image.new('RGB', (8, 8)).save(str(path), 'EPS')
    write_photo(path.parent / '1.jpg')
    with pytest.raises(read.Unreadable, match='unknown format'):
        read.read_image(path.read_bytes(), 'x')
    result = run_pairs('make', f'--photos={path.parent}', f'--to={tmp_path}/to', '--input=gray')
    assert f'left out: {path} ' in result.stdout and 'made 1 pair' in result.stdout
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('name', ['a.mpg', 'a.MP4', 'a.mov'])
def test_videos_are_named_alike(tmp_path, name):
    (tmp_path / name).write_bytes(b'')
    assert find.reason_of(str(tmp_path / name)) == 'is a video: save its frames as images'
    assert find.walk_images([str(tmp_path)]) == ([], [str(tmp_path / name)])


def test_heic_files_are_named_with_what_to_do(tmp_path):
    write_photo(tmp_path / '1.jpg')
    (tmp_path / '2.HEIC').write_bytes(b'')
    (tmp_path / '3.txt').write_bytes(b'')
    _, others = find.walk_images([str(tmp_path)])
    first, last = find.left_out(others)
    assert first.startswith(
        f'{tmp_path}/2.HEIC is a HEIC file, which Pillow does not read: convert'
    )
    assert last == 'leaving out 1 file that is not an image'


@pytest.mark.parametrize(
    'contents, words',
    [
        (b'\0\0\0\x18ftypheic\0\0\0\0', 'is a HEIC file: convert it'),
        (b'\0\0\0\x18ftypmp42\0\0\0\0', 'is a video'),
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:', 'is a pointer of Git LFS'),
        (b'\n<!DOCTYPE html><html>', 'is a web page, not an image'),
        (b'no image', 'cannot be read as an image (unknown format)'),
    ],
)
def test_other_contents_in_files_of_images_are_named(tmp_path, contents, words):
    path = tmp_path / '1.jpg'
    path.write_bytes(contents)
    assert find.read_header(str(path)).fault.startswith(words)
    with pytest.raises(read.Unreadable) as error:
        read.read_image(contents, 'x')
    assert str(error.value).startswith(f'x {words}')


FORMS = [unicodedata.normalize(form, 'Müller') for form in ('NFC', 'NFD')]


def test_names_match_in_any_unicode_form(tmp_path):
    for side, name in zip('ab', FORMS[::-1]):
        write_photo(tmp_path / side / f'{name}.jpg')
    flags = [f'--a={tmp_path}/a', f'--b={tmp_path}/b', f'--to={tmp_path}/to']
    result = run_pairs('combine', *flags)
    assert (result.returncode, result.stderr) == (0, '')
    # As in A, so that what an older version has made is found again
    assert set(tree(tmp_path / 'to')) == {f'{FORMS[1]}.jpg', 'pairs.json'}


def test_two_files_of_one_name_in_two_forms_are_named(tmp_path):
    for side in 'ab':
        write_photo(tmp_path / side / f'{FORMS[0]}.jpg')
    write_photo(tmp_path / 'a' / f'{FORMS[1]}.jpg')
    words = 'is one of 2 files of this name, but for its Unicode form'
    result = run_pairs('combine', f'--a={tmp_path}/a', f'--b={tmp_path}/b', f'--to={tmp_path}/to')
    assert result.returncode == 1
    assert all(f'{tmp_path}/a/{form}.jpg {words}' in result.stdout for form in FORMS)
    flags = [f'--photos={tmp_path}/a', f'--to={tmp_path}/made', '--input=gray']
    assert ', but for its Unicode form; rename one' in run_pairs('make', *flags).stdout


def test_parts_of_a_source_are_not_mixed(tmp_path):
    for part in ('train', 'val'):
        for side in 'AB':
            write_photo(tmp_path / side / part / f'{part}.jpg', len(part))
    both = ['combine', f'--a={tmp_path}/A', f'--b={tmp_path}/B', f'--to={tmp_path}/to']
    photos = ['make', f'--photos={tmp_path}/A', f'--to={tmp_path}/made', '--input=gray']
    for command in (both, photos):
        line = error_line(run_pairs(*command, '--split=train:0.5,val:0.5'), 2)
        assert f'{tmp_path}/A has train/ and val/, which --split would mix' in line
    assert 'pix2pix-pairs import' in error_line(run_pairs(*both, '--split=train:1'), 2)
    names = {'train/train.jpg', 'val/val.jpg', 'pairs.json'}
    for command, to in ((both, 'to'), (photos, 'made')):
        assert run_pairs(*command, '--split=').returncode == 0
        assert set(tree(tmp_path / to)) == names


def test_pairs_in_a_folder_with_system_files_are_found(tmp_path):
    write_pair(tmp_path / '1.jpg')
    (tmp_path / 'Thumbs.db').write_bytes(b'')
    (tmp_path / '@eaDir').mkdir()
    assert find.find_pairs(str(tmp_path)).notes == []
