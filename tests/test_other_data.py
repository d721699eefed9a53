"""An output folder remembers its data, and what people name when they mean its checkpoint."""

import os
import shutil
from dataclasses import replace

import pytest
from support.helpers import error_line, read_checkpoint, run_command, write_pair

from pix2pix_tf import exporting, options_file, training
from pix2pix_tf.inference.trained import find
from pix2pix_tf.system.errors import CheckpointError

FLAGS = ('--ngf=4', '--ndf=4', '--progress_freq=0', '--display_freq=0')


@pytest.fixture
def out(trained, tmp_path):
    copy = str(tmp_path / 'out')
    shutil.copytree(trained, copy)
    return copy


def test_other_data_need_an_override(pairs, out, tmp_path):
    other = tmp_path / 'other'
    write_pair(other / '1.jpg', seed=9)
    flags = ('train', f'--data={other}', f'--out={out}', '--max_steps=3', *FLAGS)
    line = error_line(run_command(*flags), 1)
    assert f'--data was {pairs}, now {other}' in line and '--override' in line
    assert read_checkpoint(out)['global_step'] == 2
    assert options_file.load_data(out).folder == pairs

    result = run_command(*flags, '--override')
    assert (result.returncode, result.stderr) == (0, '')
    assert f'resuming from {out}/model-2' in result.stdout
    assert read_checkpoint(out)['global_step'] == 3
    assert options_file.load_data(out).folder == str(other)


def test_data_that_were_moved_resume(pairs, out, tmp_path, narrow, capsys):
    moved = str(tmp_path / 'moved')
    shutil.copytree(pairs, moved)
    assert training.train(moved, out, replace(narrow, max_steps=3)).step == 3
    assert f'resuming from {out}/model-2' in capsys.readouterr().out
    assert options_file.load_data(out).folder == moved


def test_a_finished_run_names_what_to_raise_and_ends_well(pairs, out):
    before = os.listdir(out)
    result = run_command('train', f'--data={pairs}', f'--out={out}', '--max_steps=2', *FLAGS)
    assert (result.returncode, result.stderr) == (0, '')
    last = result.stdout.splitlines()[-1]
    assert last == f'{out} has already reached step 2 of 2: raise max_epochs or max_steps'
    assert {name for name in os.listdir(out) if 'tfevents' not in name} == {
        name for name in before if 'tfevents' not in name
    }


NAMES = [
    'out/model-2',
    'out/model-2.index',
    'out/model-2.data-00000-of-00001',
    'out',
    'out/',
    './out/model-2.index',
]


@pytest.mark.parametrize('name', NAMES)
def test_a_checkpoint_may_be_named_by_its_files_or_its_folder(
    pairs, out, tmp_path, monkeypatch, name
):
    monkeypatch.chdir(str(tmp_path))
    found = find(name)
    assert os.path.abspath(found.checkpoint) == os.path.join(out, 'model-2')
    assert found.config.ngf == 4  # the options beside it
    exporting.evaluate(pairs, 'elsewhere', found.config, name)


def test_the_command_takes_the_name_of_a_file(pairs, out, tmp_path):
    flags = [f'--data={pairs}', f'--out={tmp_path / "new"}', f'--checkpoint={out}/model-2.index']
    result = run_command('evaluate', *flags)
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout.startswith(f'{out}/model-2 on 5 pairs of {pairs}\n')


def test_a_named_folder_without_a_checkpoint_is_an_error(tmp_path):
    with pytest.raises(CheckpointError) as error:
        find(str(tmp_path))
    assert str(error.value) == (
        f'no checkpoint in the folder {tmp_path}: train first, or choose another'
    )


@pytest.mark.parametrize('name', ['options.json', 'development.html'])
def test_files_of_other_programs_are_kept(pairs, tmp_path, name):
    (tmp_path / name).write_text('{"mine": 1}')
    flags = [f'--data={pairs}', f'--val_data={pairs}', f'--out={tmp_path}']
    line = error_line(run_command('train', *flags), 2)
    assert (
        f'{tmp_path}/{name} was not written by pix2pix_tf: choose another folder with --out' in line
    )
    assert (tmp_path / name).read_text() == '{"mine": 1}'
