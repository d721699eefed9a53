"""Training: what a run prints, and what it does about bad options, files and numbers."""

import os
import re
import shutil
from dataclasses import replace

import pytest
import tensorflow.compat.v1 as tf
from support.helpers import (
    NARROW_FLAGS,
    contents,
    error_line,
    read_checkpoint,
    run_command,
    write_cut_off,
)

from pix2pix_tf import checkpoints, options_file, training
from pix2pix_tf.config import Config
from pix2pix_tf.monitoring.progress import LOSS_LABELS
from pix2pix_tf.system.errors import CheckpointError, DataError, TrainingError


def test_a_run_reports_saves_and_ends(pairs, tmp_path, narrow, capsys):
    out = str(tmp_path / 'deep' / 'out')
    config = replace(narrow, max_epochs=1, progress_freq=2, save_freq=3, batch_size=1)
    result = training.train(pairs, out, config)
    assert result == (5, os.path.join(out, 'model-5'))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        'direction BtoA: learns the left half from the right (AtoB is the reverse); halves of '
        '32x32 are scaled to 286x286 and cropped to 256x256'
    )
    del lines[0]
    assert lines[0].startswith(f'TensorFlow {tf.__version__} on ')
    assert lines[0].endswith(f'5 pairs in {pairs}; starting from scratch')
    number = r'[-+.e0-9]+'
    report = [r'progress  epoch 1  step {}  image/sec [.0-9]+  remaining [0-9]+m']
    report += [f'{n} {number}  average {number}' for n in LOSS_LABELS]
    patterns = [line.format(2) for line in report]
    patterns += ['saving model'] + [line.format(4) for line in report]
    patterns += [line.format(5) for line in report]
    patterns += ['saving model', f'trained to step 5, saved in {out}/model-5']
    assert len(lines) == 1 + len(patterns)
    for line, pattern in zip(lines[1:], patterns):
        assert re.match(pattern + '$', line), (line, pattern)
    assert checkpoints.latest(out) == os.path.join(out, 'model-5')
    assert not os.path.exists(os.path.join(out, 'model-3.index'))
    assert options_file.load(out).max_epochs == 1


def test_a_run_says_that_it_mirrors_pairs():
    line = training.describe([(512, 256)], Config(flip=True))
    assert line.endswith('and cropped to 256x256; half of the pairs are mirrored at random')


def losses_with_seed(seed, steps, pairs, out):
    """The lines with losses that a training of so many steps prints."""
    flags = [f'--data={pairs}', f'--out={out}', f'--seed={seed}', f'--max_steps={steps}']
    result = run_command('train', *flags, *NARROW_FLAGS)
    assert (result.returncode, result.stderr) == (0, '')
    return [line for line in result.stdout.splitlines() if 'loss' in line]


@pytest.mark.slow
@pytest.mark.post_networks
def test_the_same_seed_gives_the_same_losses_digit_by_digit(pairs, tmp_path):
    runs = [losses_with_seed(7, 20, pairs, tmp_path / name) for name in 'ab']
    assert len(runs[0]) == 20 * 3
    assert runs[0] == runs[1]


def test_another_seed_gives_other_losses(pairs, tmp_path):
    one, other = (losses_with_seed(seed, 2, pairs, tmp_path / str(seed)) for seed in (7, 8))
    assert len(one) == len(other) == 2 * 3
    assert one != other


def test_a_checkpoint_of_another_width_is_refused_and_kept(pairs, trained, tmp_path):
    out = str(tmp_path / 'out')
    shutil.copytree(trained, out)
    before = contents(out)
    result = run_command('train', f'--data={pairs}', f'--out={out}', '--ngf=8', '--ndf=4')
    line = error_line(result, 1)
    assert f'{out} was trained with other options (--ngf was 4, now 8)' in line
    with pytest.raises(CheckpointError) as error:
        training.train(pairs, out, Config(ngf=8, ndf=4), override=True)
    assert f'{out}/model-2 does not fit' in str(error.value)
    after = contents(out)
    for name in ('checkpoint', 'model-2.index', 'model-2.data-00000-of-00001', 'options.json'):
        assert after[name] == before[name]


@pytest.mark.parametrize('name', ['cut.jpg', 'cut.png'])
def test_a_file_cut_off_is_named_in_the_middle_of_training(pairs, tmp_path, name):
    folder = tmp_path / 'pairs'
    shutil.copytree(pairs, str(folder))
    write_cut_off(folder / name)
    out = tmp_path / 'out'
    result = run_command('train', f'--data={folder}', f'--out={out}', *NARROW_FLAGS)
    assert f'{folder / name} cannot be decoded' in error_line(result, 1)


def test_a_file_that_vanishes_is_named(tmp_path, pairs, narrow, monkeypatch):
    folder = tmp_path / 'pairs'
    shutil.copytree(pairs, str(folder))
    load_data = training.dataset.load_data

    def load_and_remove(*arguments, **options):
        batches = load_data(*arguments, **options)
        os.remove(str(folder / '3.jpg'))
        return batches

    monkeypatch.setattr(training.dataset, 'load_data', load_and_remove)
    with pytest.raises(DataError) as error:
        training.train(str(folder), str(tmp_path / 'out'), narrow)
    assert f'cannot read {folder}/3.jpg' in str(error.value)


def diverge(pairs, trained, out, rate):
    """(step, result) of a run from step 2 with such a learning rate, saving each step."""
    shutil.copytree(trained, out)
    flags = [f'--data={pairs}', f'--out={out}', f'--learning_rate={rate}', '--save_freq=1']
    result = run_command('train', *flags, '--override', '--seed=5', *NARROW_FLAGS)
    line = error_line(result, 1)
    assert 'is nan' in line
    assert f'{pairs}/' in line and '.jpg; nothing was saved after it' in line
    return int(line.split('step ')[1].split(':')[0]), result


def test_a_run_that_diverges_at_once_leaves_the_checkpoint_and_its_options(
    pairs, trained, tmp_path
):
    out = str(tmp_path / 'out')
    step, result = diverge(pairs, trained, out, rate=1e20)
    assert step == 3
    assert 'progress' not in result.stdout
    assert read_checkpoint(out)['global_step'] == 2
    assert options_file.load(out) == options_file.load(trained)


@pytest.mark.post_networks
def test_a_run_that_diverges_later_ends_with_the_save_of_the_step_before(
    pairs, train_briefly, tmp_path
):
    out = str(tmp_path / 'out')
    step, result = diverge(pairs, train_briefly(), out, rate=100.0)
    assert step > 3
    assert read_checkpoint(out)['global_step'] == step - 1
    assert options_file.load(out).learning_rate == 100
    assert f'step {step} ' not in result.stdout


@pytest.mark.parametrize('field', list(training.FINITE_VALUES))
def test_every_number_is_checked_and_named(field):
    values = dict.fromkeys(training.FINITE_VALUES, 1.0)
    training.check_finite(7, {'checked': values, 'paths': [b'a.jpg']}, 'out')
    for bad in (float('nan'), float('inf')):
        values[field] = bad
        with pytest.raises(TrainingError) as error:
            training.check_finite(7, {'checked': values, 'paths': [b'a.jpg', b'b.jpg']}, 'out')
        message = str(error.value)
        assert message.startswith(
            f'step 7: {training.FINITE_VALUES[field]} is {bad}, on a.jpg, b.jpg;'
        )


def test_histograms_of_numbers_that_are_not_finite_are_one_line(pairs, trained, tmp_path):
    out = str(tmp_path / 'out')
    shutil.copytree(trained, out)
    flags = [f'--data={pairs}', f'--out={out}', '--learning_rate=1e30', '--histogram_freq=1']
    result = run_command('train', *flags, '--override', *NARROW_FLAGS)
    line = error_line(result, 1)
    assert 'a weight or a gradient is not finite' in line and '--learning_rate' in line
    assert read_checkpoint(out)['global_step'] == 2
