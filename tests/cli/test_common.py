"""Errors of the commands: one line and an exit status."""

import os

import pytest
from support.helpers import error_line, fork_script, run_command, write_pair

from pix2pix_tf import training
from pix2pix_tf.system.errors import DataError


@pytest.mark.parametrize(
    'flag, words',
    [
        ('--batch_sise=1', "Unknown command line flag 'batch_sise'"),
        ('--batch_size=two', "--batch_size is 'two': it must be a whole number"),
        ('--beta1=', "--beta1 is '': it must be a number"),
        ('--xla=maybe', "--xla is 'maybe': it must be true or false"),
        ('--batch_size=0', '--batch_size is 0: it must be at least 1'),
        ('--scale_size=200', '--scale_size is 200, below --crop_size 256'),
        ('facades', 'facades is not a flag'),
    ],
)
def test_wrong_flags_end_with_status_2(tmp_path, flag, words):
    result = run_command('train', flag, cwd=str(tmp_path))
    line = error_line(result, 2)
    assert line.startswith('pix2pix-train: ') and words in line
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize('command, flag', [('export', '--ngf=0'), ('demo', '--val_pairs=0')])
def test_every_command_checks_its_flags(tmp_path, command, flag):
    result = run_command(command, flag, cwd=str(tmp_path))
    assert error_line(result, 2).startswith(f'pix2pix-{command}: --')


def make_nothing(folder):
    pass


def make_empty(folder):
    folder.mkdir()


def make_text(folder):
    folder.mkdir()
    (folder / 'notes.txt').write_text('nothing to see')


def make_false_image(folder):
    write_pair(folder / '1.jpg')
    (folder / '2.jpg').write_text('not an image')


def make_odd(folder):
    write_pair(folder / '1.jpg', width=61)


def make_thin(folder):
    write_pair(folder / '1.jpg', width=1)


BAD_FOLDERS = [
    (make_nothing, 'no data folder {} (No such file or directory)'),
    (make_empty, 'no JPEG or PNG image in {}'),
    (make_text, 'no JPEG or PNG image in {}'),
    (make_false_image, '{}/2.jpg cannot be read as an image'),
    (make_odd, '{}/1.jpg is 61 pixels wide'),
    (make_thin, '{}/1.jpg is 1 pixel wide'),
]


@pytest.mark.parametrize('make, words', BAD_FOLDERS)
def test_bad_folders_are_named_before_anything_is_written(tmp_path, make, words):
    folder = tmp_path / 'data'
    make(folder)
    with pytest.raises(DataError) as error:
        training.train(str(folder), str(tmp_path / 'out'))
    assert words.format(folder) in str(error.value)
    assert not os.path.exists(str(tmp_path / 'out'))


def test_a_bad_folder_ends_with_status_1(tmp_path):
    folder = tmp_path / 'data'
    make_false_image(folder)
    result = run_command('train', f'--data={folder}', f'--out={tmp_path / "out"}')
    assert f'{folder}/2.jpg cannot be read as an image' in error_line(result, 1)
    assert not os.path.exists(str(tmp_path / 'out'))


def test_a_missing_validation_folder_is_named(tmp_path, trained):
    folder = tmp_path / 'val'
    result = run_command('export', f'--data={folder}', f'--out={trained}')
    assert f'no data folder {folder}' in error_line(result, 1)


def test_an_output_folder_that_cannot_be_made_is_named(tmp_path, pairs):
    (tmp_path / 'file').write_text('in the way')
    out = tmp_path / 'file' / 'out'
    result = run_command('train', f'--data={pairs}', f'--out={out}')
    assert f'cannot write to {out} (Not a directory)' in error_line(result, 1)


def test_a_command_does_not_load_keras(tmp_path):
    script = tmp_path / 'loaded.py'
    script.write_text('import sys; print(*{"tensorflow", "keras"}.intersection(sys.modules))')
    assert fork_script(script).communicate() == ('tensorflow\n', '')


def test_an_output_folder_whose_name_is_not_utf_8_is_rejected(pairs, tmp_path):
    out = os.path.join(str(tmp_path), os.fsdecode(b'caf\xe9'))
    line = error_line(run_command('train', f'--data={pairs}', f'--out={out}'), 2)
    assert 'is not valid UTF-8' in line
