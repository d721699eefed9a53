"""What a run starts with that resumes from a checkpoint."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from support.helpers import (
    NARROW_FLAGS,
    error_line,
    export,
    fork_command,
    read_checkpoint,
    run_command,
    wait_for,
)

import pix2pix_tf
from pix2pix_tf import options_file, training
from pix2pix_tf.config import Config
from pix2pix_tf.monitoring import csv_log


def test_a_run_resumes_where_it_ended(pairs, trained, tmp_path, narrow, capsys):
    out = str(tmp_path / 'out')
    shutil.copytree(trained, out)
    before = read_checkpoint(out)
    assert before['global_step'] == 2
    assert training.train(pairs, out, replace(narrow, max_steps=2)).step == 2
    printed = capsys.readouterr().out
    assert 'has already reached step 2 of 2: raise --max_epochs or --max_steps' in printed
    assert training.train(pairs, out, replace(narrow, max_steps=3)).step == 3
    assert f'resuming from {out}/model-2' in capsys.readouterr().out
    after = read_checkpoint(out)
    assert after['global_step'] == 3
    # Two more steps' worth of Adam, not a start from nothing
    np.testing.assert_allclose(after['beta1_power'], 0.5**4, rtol=1e-5)
    name = 'generator/encoder_1/conv/filter'
    assert 0 < np.abs(after[name] - before[name]).max() < 0.001


@pytest.mark.parametrize('name', ['run[1]', 'a\\b'])
def test_a_folder_in_which_tensorflow_finds_nothing_is_refused_at_once(pairs, tmp_path, name):
    out = tmp_path / name
    result = run_command('train', f'--data={pairs}', f'--out={out}', *NARROW_FLAGS)
    assert f'{out} has a [ or \\ in its path' in error_line(result, 2)
    assert f'{out} has a [' in error_line(run_command('predict', f'--model={out}', pairs), 2)


def test_a_folder_whose_name_looks_like_a_pattern(pairs, tmp_path, narrow):
    out = str(tmp_path / 'what?*')
    for step in (1, 2):
        result = training.train(pairs, out, replace(narrow, max_steps=step))
        assert result == (step, f'{out}/model-{step}')
    assert export(pairs, out).report.source['step'] == 2
    with pix2pix_tf.load(f'{out}/model-2') as generator:
        assert generator.step == 2


# A step by these has no gradient: the losses of the generator weigh nothing, and that of the
# discriminator is the logarithm of about 1e30, whatever it predicts.
STILL = Config(
    ngf=4,
    ndf=4,
    gan_weight=0.0,
    l1_weight=0.0,
    log_epsilon=1e30,
    learning_rate=1e-30,
    summary_freq=1,
)


def test_a_run_that_was_killed_resumes_with_all_variables_of_its_save(pairs, tmp_path):
    """Killed after the save of step 3, and resumed for one step, whose result can be foretold."""
    out = str(tmp_path)
    flags = ('train', f'--data={pairs}', f'--out={out}', '--save_freq=3', *NARROW_FLAGS)
    process = fork_command(*flags)
    wait_for(process, 'step 4 ')
    process.kill()
    process.communicate()
    saved = read_checkpoint(out)
    step = int(saved['global_step'])
    assert step >= 3 and step % 3 == 0
    assert abs(saved['beta1_power'] - 0.5 ** (step + 1)) < 1e-6

    still = replace(STILL, max_steps=step + 1)
    assert training.train(pairs, out, still, override=True).step == step + 1
    after = read_checkpoint(out)
    row = csv_log.load(out)[-1]
    assert row['step'] == step + 1
    means = {'Mean': 'discrim_loss', 'Mean_1': 'gen_loss_GAN', 'Mean_2': 'gen_loss_L1'}
    changed = {'global_step': step + 1}
    for name, loss in means.items():
        name += '/ExponentialMovingAverage'
        changed[name] = 0.99 * saved[name] + 0.01 * row[f'losses/{loss}']
    assert set(after) == set(saved) and set(changed) < set(saved)
    for name, value in saved.items():
        factor = adam_factor(name)
        if name in changed:
            np.testing.assert_allclose(after[name], changed[name], rtol=1e-5, err_msg=name)
        elif factor is None:
            np.testing.assert_array_equal(after[name], value, err_msg=name)
        else:
            np.testing.assert_allclose(
                after[name], factor * value, rtol=1e-5, atol=1e-25, err_msg=name
            )


def adam_factor(name):
    """What a step without a gradient multiplies a variable of Adam's by; None for the others."""
    if re.search('/Adam$|^beta1_power', name):
        return 0.5
    if re.search('/Adam_1$|^beta2_power', name):
        return 0.999
    return None


def test_other_options_are_named_and_refused_unless_they_may_change(pairs, trained, tmp_path):
    out = str(tmp_path / 'out')
    shutil.copytree(trained, out)
    flags = ['train', f'--data={pairs}', f'--out={out}', '--ngf=4', '--ndf=4', '--max_steps=3']
    result = run_command(*flags, '--learning_rate=0.001', '--batch_size=2', '--save_freq=7')
    line = error_line(result, 1)
    assert '--learning_rate was 0.0002, now 0.001' in line
    assert '--batch_size was 1, now 2' in line
    assert 'save_freq' not in line and 'max_steps' not in line
    assert read_checkpoint(out)['global_step'] == 2
    assert options_file.load(out) == options_file.load(trained)
    result = run_command(*flags, '--learning_rate=0.001', '--override')
    assert (result.returncode, result.stderr) == (0, '')
    assert read_checkpoint(out)['global_step'] == 3
    assert options_file.load(out).learning_rate == 0.001
