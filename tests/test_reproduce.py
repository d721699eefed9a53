import os
import signal
import sys

import pytest
from PIL import Image
from support.helpers import (
    NARROW_FLAGS,
    ROOT,
    contents,
    fork_command,
    fork_script,
    read_checkpoint,
    wait_for,
    write_pair,
)

BENCH = os.path.join(ROOT, 'bench')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """A dataset of three pairs for training, and two for validation."""
    folder = tmp_path_factory.mktemp('data')
    for part, number in (('train', 1), ('train', 2), ('train', 3), ('val', 4), ('val', 5)):
        write_pair(folder / part / f'{number}.jpg', seed=number)
    return folder


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    """One result as the post shows it: an input, an output and a target of 256x256."""
    folder = tmp_path_factory.mktemp('pictures')
    for seed, kind in enumerate(('inputs', 'outputs', 'targets')):
        write_pair(folder / f'1-{kind}.png', seed=seed, width=256, height=256)
    return folder


@pytest.fixture
def reproduce(monkeypatch, data):
    """A function: reproduces with these arguments; returns the commands that it ran."""
    monkeypatch.syspath_prepend(BENCH)
    import reproduce

    commands = []

    def run(self, script, *arguments):
        command = os.path.basename(script).replace('pix2pix-', '')
        commands.append(command)
        process = fork_command(command, *arguments)
        printed, errors = process.communicate()
        assert process.returncode == 0, printed + errors

    def call(*arguments):
        commands.clear()
        narrow = '--ngf=4', '--ndf=4', '--display_freq=0', '--summary_freq=1', '--save_freq=1'
        monkeypatch.setattr(sys, 'argv', ['reproduce.py', f'--data={data}', *arguments, *narrow])
        reproduce.main()
        return list(commands)

    monkeypatch.setattr(reproduce.Reproduction, '_run', run)
    monkeypatch.setattr(reproduce.signal, 'signal', lambda *_: None)
    return call


def test_a_whole_run_writes_results_md(reproduce, pictures, tmp_path):
    def until(steps):
        flags = f'--out={tmp_path}', f'--steps={steps}', '--every=2', f'--pictures={pictures}'
        return reproduce(*flags)

    assert until(2) == ['train', 'export', 'export']
    assert until(2) == []  # nothing is left to do
    assert until(3) == ['train', 'export', 'export']  # continues up to step 3
    text = (tmp_path / 'results.md').read_text()
    rows = [[cell.strip() for cell in line.split('|')] for line in text.splitlines()]
    assert [row[1] for row in rows if len(row) == 8] == ['step', '---', '2', '3']
    shown = [row[1:3] for row in rows if len(row) == 10]
    assert shown == [
        ['picture', 'step 3'],
        ['---', '---'],
        ['1', 'the post'],
        ['1', 'pix2pix_tf'],
        ['mean', 'the post'],
        ['mean', 'pix2pix_tf'],
    ]
    # An input, the outputs after two and three steps, and a target; for two pairs
    assert Image.open(str(tmp_path / 'strip.jpg')).size == (4 * 128, 2 * 128)
    assert 'curves.png' in contents(tmp_path / 'run')


def test_missing_files_are_reported_before_the_training(reproduce, tmp_path):
    with pytest.raises(SystemExit, match='no \\*-inputs.png in'):
        reproduce(f'--out={tmp_path / "out"}', f'--pictures={tmp_path}')
    with pytest.raises(SystemExit) as error:
        reproduce(f'--out={tmp_path / "out"}', f'--post={tmp_path}')
    assert error.value.code == 2
    assert not (tmp_path / 'out').exists()


def test_sharpness_is_the_gradient_of_the_luma(monkeypatch):
    monkeypatch.syspath_prepend(BENCH)
    import numpy as np
    from reproduce_page import sharpness

    ramp = np.tile(np.arange(0, 250, 10, np.uint8)[None, :, None], (8, 1, 3))
    assert sharpness(ramp) == pytest.approx(10 / 255)
    assert sharpness(np.full((8, 8, 3), 9, np.uint8)) == 0


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_saves(data, tmp_path, number):
    flags = [f'--data={data}', f'--out={tmp_path}', '--steps=5000', *NARROW_FLAGS]
    process = fork_script('bench/reproduce.py', *flags, new_session=True)
    wait_for(process, 'gen_loss_L1')
    # Ctrl-C goes to the whole group, SIGTERM to one process
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    printed, errors = process.communicate()
    assert process.returncode == 0, errors
    assert printed.splitlines()[-1] == 'stopped; the same command resumes'
    assert int(read_checkpoint(tmp_path / 'run')['global_step']) > 0


def test_flags_that_the_reproduction_sets_are_rejected(reproduce, tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        reproduce(f'--out={tmp_path / "out"}', '--seed=7')
    assert error.value.code == 2
    assert '--seed cannot be used: the reproduction sets it' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
