import os
import re
import resource
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import contents, error_line, run_command, write_cut_off

from pix2pix_tf import checkpoints, config, training
from pix2pix_tf.system.errors import CheckpointError
from pix2pix_tf.monitoring.progress import REPORTED

NARROW_FLAGS = ('--ngf=4', '--ndf=4')


def weights(out):
    """{name: value} of the newest checkpoint."""
    reader = tf.train.NewCheckpointReader(checkpoints.latest(out))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_a_run_reports_saves_and_ends(pairs, tmp_path, narrow, capsys):
    out = str(tmp_path / 'deep' / 'out')
    step = training.train(
        pairs, out, narrow._replace(max_epochs=1, progress_freq=2, save_freq=3, batch_size=1)
    )
    assert step == 5
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f'TensorFlow {tf.__version__} on ')
    assert lines[0].endswith(f'5 pairs in {pairs}; starting anew')
    number = r'[-+.e0-9]+'
    report = [r'progress  epoch 1  step {}  image/sec [.0-9]+  remaining 0m']
    report += [f'{n} {number}  average {number}' for n in REPORTED]
    patterns = [line.format(2) for line in report]
    patterns += ['saving model'] + [line.format(4) for line in report]
    patterns += [line.format(5) for line in report]
    patterns += ['saving model', f'trained to step 5, saved in {out}/model-5']
    assert len(lines) == 1 + len(patterns)
    for line, pattern in zip(lines[1:], patterns):
        assert re.match(pattern + '$', line), (line, pattern)
    assert checkpoints.latest(out) == os.path.join(out, 'model-5')
    assert not os.path.exists(os.path.join(out, 'model-3.index'))
    assert config.load(out).max_epochs == 1


def test_a_run_goes_on_where_it_ended(pairs, trained, tmp_path, narrow, capsys):
    out = str(tmp_path / 'out')
    shutil.copytree(trained, out)
    before = weights(out)
    assert before['global_step'] == 2
    assert training.train(pairs, out, narrow._replace(max_steps=2)) == 2
    assert 'at step 2 of 2 already' in capsys.readouterr().out
    assert training.train(pairs, out, narrow._replace(max_steps=3)) == 3
    assert f'resuming from {out}/model-2' in capsys.readouterr().out
    after = weights(out)
    assert after['global_step'] == 3
    # Two more steps' worth of Adam, not a start from nothing
    np.testing.assert_allclose(after['beta1_power'], 0.5**4, rtol=1e-5)
    name = 'generator/encoder_1/conv/filter'
    assert 0 < np.abs(after[name] - before[name]).max() < 0.001


def test_the_same_seed_gives_the_same_losses_digit_by_digit(pairs, tmp_path):
    runs = []
    for name, seed in (('a', 7), ('b', 7), ('c', 8)):
        result = run_command(
            'train', f'--data={pairs}', f'--out={tmp_path / name}', f'--seed={seed}',
            '--max_steps=20', '--progress_freq=1', *NARROW_FLAGS,
        )  # fmt: skip
        assert (result.returncode, result.stderr) == (0, '')
        runs.append([line for line in result.stdout.splitlines() if 'loss' in line])
    assert len(runs[0]) == 20 * 3
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_a_checkpoint_of_another_width_is_refused_and_kept(pairs, trained, tmp_path):
    out = str(tmp_path / 'out')
    shutil.copytree(trained, out)
    before = contents(out)
    result = run_command('train', f'--data={pairs}', f'--out={out}', '--ngf=8', '--ndf=4')
    line = error_line(result, 1)
    assert f'{out} was trained with other options (--ngf was 4, now 8)' in line
    with pytest.raises(CheckpointError) as error:
        training.train(pairs, out, config.Config(ngf=8, ndf=4), override=True)
    assert f'{out}/model-2 does not fit' in str(error.value)
    after = contents(out)
    for name in ('checkpoint', 'model-2.index', 'model-2.data-00000-of-00001', 'options.json'):
        assert after[name] == before[name]


def test_a_disk_that_fills_up_costs_no_earlier_checkpoint(pairs, tmp_path, narrow):
    out = str(tmp_path)
    training.train(pairs, out, narrow._replace(ngf=16, max_steps=1))
    size = os.path.getsize(checkpoints.latest(out) + '.data-00000-of-00001')

    def limit():  # above the size of the graph's files, below that of a checkpoint
        resource.setrlimit(resource.RLIMIT_FSIZE, (size - 4096, size - 4096))

    flags = [f'--data={pairs}', f'--out={out}', '--max_steps=3', '--ngf=16', '--ndf=4']
    result = run_command('train', *flags, preexec_fn=limit)
    assert f'can not save {out}/model-3' in error_line(result, 1)
    assert weights(out)['global_step'] == 1
    assert not [name for name in os.listdir(out) if name.startswith('model-3')]


@pytest.mark.parametrize('name', ['cut.jpg', 'cut.png'])
def test_a_file_cut_off_is_named_in_the_middle_of_training(pairs, tmp_path, name):
    folder = tmp_path / 'pairs'
    shutil.copytree(pairs, str(folder))
    write_cut_off(folder / name)
    out = tmp_path / 'out'
    result = run_command('train', f'--data={folder}', f'--out={out}', *NARROW_FLAGS)
    assert f'{folder / name} can not be decoded' in error_line(result, 1)


def test_a_file_that_vanishes_is_named(tmp_path, pairs, narrow, monkeypatch):
    folder = tmp_path / 'pairs'
    shutil.copytree(pairs, str(folder))
    load_data = training.dataset.load_data

    def load_and_remove(*arguments, **options):
        batches = load_data(*arguments, **options)
        os.remove(str(folder / '3.jpg'))
        return batches

    monkeypatch.setattr(training.dataset, 'load_data', load_and_remove)
    with pytest.raises(training.faults.DataError) as error:
        training.train(str(folder), str(tmp_path / 'out'), narrow)
    assert f'can not read {folder}/3.jpg' in str(error.value)


def test_a_damaged_checkpoint_is_named(pairs, trained, tmp_path, narrow):
    out = str(tmp_path / 'out')
    shutil.copytree(trained, out)
    data = checkpoints.latest(out) + '.data-00000-of-00001'
    with open(data, 'r+b') as file:
        file.truncate(1000)
    with pytest.raises(CheckpointError) as error:
        training.train(pairs, out, narrow)
    assert f'can not read the checkpoint {out}/model-2' in str(error.value)
