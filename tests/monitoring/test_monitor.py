"""What a training shows while it runs: summaries, validation images, their metrics."""

import io
import json
import os
import re
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.helpers import (
    NARROW_FLAGS,
    WATCHED,
    evaluate,
    fork_command,
    read_events,
    wait_for,
    write_cut_off,
    write_pair,
)
from support.lpips_weights import write_random_weights

from pix2pix_tf import exporting, training
from pix2pix_tf.evaluation import pages
from pix2pix_tf.evaluation.image_metrics import OptionalMetrics
from pix2pix_tf.inference import trained
from pix2pix_tf.monitoring import csv_log
from pix2pix_tf.system.errors import DataError


def test_a_resumed_run_may_evaluate_by_lpips_as_well(pairs, watched_run, tmp_path, capsys):
    out, weights = str(tmp_path / 'out'), write_random_weights(tmp_path / 'lpips.npz')
    shutil.copytree(watched_run.out, out)
    config = replace(WATCHED, max_steps=6, display_freq=0, histogram_freq=0, trace_freq=0)
    optional = OptionalMetrics(lpips=weights)
    training.train(pairs, out, config, val_data=pairs, optional=optional)
    *before, row = csv_log.load(out)
    assert [set(old) for old in before] == [set(csv_log.COLUMNS)] * 2
    assert set(row) == {*csv_log.COLUMNS, 'validation/LPIPS'}
    assert f'  LPIPS {row["validation/LPIPS"]:.4f}  on 4 images' in capsys.readouterr().out
    # The same by an evaluation, whose noise has the seed of the validation
    watched = tmp_path / 'four'
    watched.mkdir()
    for name in sorted(os.listdir(pairs))[:4]:
        shutil.copy(os.path.join(pairs, name), str(watched))
    config = trained.find(out, seed=0).config
    report = exporting.evaluate(
        str(watched), out, config, measures=exporting.Measures(optional=optional)
    )
    assert report.summaries['LPIPS'].mean == pytest.approx(row['validation/LPIPS'], rel=1e-5)


@pytest.mark.post_networks
def test_everything_that_is_due_is_written(watched_run):
    out = watched_run.out
    rows = csv_log.load(out)
    assert [row['step'] for row in rows] == [2, 4]
    assert all(set(row) == set(csv_log.COLUMNS) for row in rows)
    for row in rows:
        gan, l1 = row['losses/gen_loss_GAN'], row['losses/gen_loss_L1']
        assert row['losses/gen_loss'] == pytest.approx(gan + 100 * l1, rel=1e-4)
        assert 0 < row['discriminator/predict_fake'] < 1
        assert row['images_per_second'] > 0
        assert row['learning_rate'] == 0.0002

    accumulator = read_events(out)
    tags = accumulator.Tags()
    assert set(tags['scalars']) == set(csv_log.COLUMNS) - {'step', 'seconds'}
    shown = {event.step: event.value for event in accumulator.Scalars('validation/SSIM')}
    assert shown == pytest.approx({row['step']: row['validation/SSIM'] for row in rows})
    sizes = {
        tag: [(event.step, event.width, event.height) for event in accumulator.Images(tag)]
        for tag in tags['images']
    }
    assert sizes == {
        'input_output_target/image': [(2, 768, 256), (4, 768, 256)],
        'predict_real/image': [(2, 30, 30), (4, 30, 30)],
        'predict_fake/image': [(2, 30, 30), (4, 30, 30)],
    }
    assert len(tags['histograms']) == 2 * 55
    values = accumulator.Histograms('weights/generator/encoder_2/conv/filter')
    assert [event.step for event in values] == [2, 4]
    assert values[0].histogram_value.num == 4 * 4 * 4 * 8
    assert tags['graph'] and tags['run_metadata'] == ['step_2', 'step_4']

    for step in (2, 4):
        with open(os.path.join(out, f'trace-{step}.json')) as file:
            trace = json.load(file)['traceEvents']
        assert {event['ph'] for event in trace} >= {'X', 'M'}  # durations, names of threads
        operations = {event['name'] for event in trace}
        assert any('Conv2D' in name for name in operations)
    printed = [line for line in watched_run.printed.splitlines() if 'validation' in line]
    caveat, first, second = printed
    assert 'L1 and RMSE are of values from 0 to 1, gen_loss_L1 is of values from -1 to 1' in caveat
    assert 'L1, RMSE, PSNR and SSIM prefer a blurred image' in caveat
    assert first.endswith('on 4 images, the highest MS-SSIM so far')
    assert 'on 4 images, the highest MS-SSIM ' in second


def test_the_summarised_image_is_that_of_the_step(pairs, watched_run):
    """Its left and right thirds are the halves of one training pair."""
    event = read_events(watched_run.out).Images('input_output_target/image')[0]
    shown = np.array(Image.open(io.BytesIO(event.encoded_image_string)), np.float32)
    distances = []
    for name in os.listdir(pairs):
        pair = np.array(Image.open(os.path.join(pairs, name)).resize((512, 256)), np.float32)
        sides = np.concatenate([pair[:, 256:], pair[:, :256]], axis=1)
        distances.append(np.abs(np.delete(shown, np.s_[256:512], axis=1) - sides).mean())
    assert min(distances) < 8 < sorted(distances)[1]


def test_validation_metrics_are_those_of_an_evaluation(pairs, tmp_path, watched_run):
    """With the same seed for the noise, and of the same images: the first four."""
    for number in range(1, 5):
        shutil.copy(os.path.join(pairs, f'{number}.jpg'), str(tmp_path))
    report = evaluate(str(tmp_path), watched_run.out, seed=0)
    last = csv_log.load(watched_run.out)[-1]
    for column, name in csv_log.VALIDATION.items():
        assert last[column] == pytest.approx(report.summaries[name].mean, rel=1e-3)


def test_development_has_a_column_for_each_step_and_none_of_steps_that_were_lost(
    pairs, tmp_path, watched_run
):
    out = str(tmp_path / 'out')
    shutil.copytree(watched_run.out, out)
    folder = os.path.join(out, 'development')
    names = {f'{name}-{kind}.png' for name in '1234' for kind in ('inputs', 'targets', 2, 4)}
    assert set(os.listdir(folder)) == names
    # As if it had been killed at step 9, after a display at 8 and a save at 4
    for name in '1234':
        os.rename(os.path.join(folder, f'{name}-2.png'), os.path.join(folder, f'{name}-8.png'))
    mine = {'sketch-9.png', '9.png', '1-9.jpg'}
    for name in mine:
        with open(os.path.join(folder, name), 'w'):
            pass
    training.train(pairs, out, replace(WATCHED, max_steps=5), val_data=pairs)
    names = {f'{name}-{kind}.png' for name in '1234' for kind in ('inputs', 'targets', 4, 5)}
    assert set(os.listdir(folder)) == names | mine
    with open(os.path.join(out, 'development.html')) as file:
        page = file.read()
    assert re.findall('<th>(?:step )?([0-9]+)</th>', page) == ['5', '4']
    assert set(re.findall('<img src="development/([^"]*)"', page)) == names


@pytest.mark.parametrize('stopped', [False, True])
def test_development_reloads_itself_while_the_training_runs(pairs, tmp_path, monkeypatch, stopped):
    write, seen = pages.write_development, []

    def write_and_see(*arguments):
        path = write(*arguments)
        with open(path) as file:
            seen.append('http-equiv="refresh"' in file.read())
        if len(seen) == 1 and stopped:
            os.kill(os.getpid(), signal.SIGINT)
        return path

    monkeypatch.setattr(pages, 'write_development', write_and_see)
    config = replace(WATCHED, max_steps=1000 if stopped else 4)
    result = training.train(pairs, str(tmp_path), config, val_data=pairs)
    assert result.step < 1000
    assert len(seen) > 1 and all(seen[:-1]) and not seen[-1]
    if not stopped:  # a signal may come between a step and its display
        assert len(seen) == 3


def test_images_differ_by_the_weights_alone(pairs, tmp_path):
    """The noise is the same at every look: without learning they stay as they are."""
    still = replace(WATCHED, learning_rate=1e-30, max_steps=4)
    training.train(pairs, str(tmp_path), still, val_data=pairs)
    for name in '1234':
        columns = [(tmp_path / 'development' / f'{name}-{s}.png').read_bytes() for s in (2, 4)]
        assert columns[0] == columns[1]


def test_watching_does_not_change_the_losses(pairs, tmp_path, watched_run):
    """Whatever is looked at, the same seed gives the same losses."""
    plain = replace(WATCHED, display_freq=0, histogram_freq=0, trace_freq=0, eval_freq=0)
    training.train(pairs, str(tmp_path), plain)
    runs = [
        [row['losses/gen_loss'] for row in csv_log.load(out)]
        for out in (watched_run.out, str(tmp_path))
    ]
    assert len(runs[0]) == 2
    assert runs[0] == runs[1]


def test_a_validation_image_that_cannot_be_decoded_costs_only_itself(pairs, tmp_path, capsys):
    folder = tmp_path / 'val'
    write_pair(folder / '1.jpg')
    write_cut_off(folder / '2.jpg')
    config = replace(WATCHED, trace_freq=0, histogram_freq=0)
    assert training.train(pairs, str(tmp_path / 'out'), config, val_data=str(folder)).step == 4
    printed = capsys.readouterr().out
    assert f'{folder}/2.jpg cannot be decoded' in printed
    assert 'training continues without it' in printed
    assert 'validation/L1' not in csv_log.load(str(tmp_path / 'out'))[-1]


@pytest.mark.parametrize('freq', [0, 2])
def test_a_validation_folder_that_is_not_there_is_named_at_once(pairs, tmp_path, freq):
    config = replace(WATCHED, eval_freq=freq, display_freq=freq)
    with pytest.raises(DataError) as error:
        training.train(pairs, str(tmp_path / 'out'), config, val_data=str(tmp_path / 'val'))
    assert f'no data folder {tmp_path}/val' in str(error.value)
    assert '`val_data`' in str(error.value)


def test_once_stopped_nothing_further_is_looked_at(pairs, tmp_path):
    """An evaluation of many images, here of about a minute, must not hold up the end of a run."""
    folder = tmp_path / 'val'
    folder.mkdir()
    for number in range(1500):
        os.link(os.path.join(pairs, '1.jpg'), str(folder / f'{number}.jpg'))
    out = tmp_path / 'out'
    flags = [f'--data={pairs}', f'--val_data={folder}', f'--out={out}', '--eval_freq=1']
    flags += [*NARROW_FLAGS, '--eval_images=1500', '--display_freq=1', '--summary_freq=1']
    process = fork_command('train', *flags)
    wait_for(process, 'step 1 ')  # the evaluation comes next
    process.terminate()
    printed, errors = process.communicate()
    assert (process.returncode, errors) == (0, '')
    assert 'SIGTERM: finishing' in printed and 'stopped at step 1 of 1000, saved in' in printed
    assert 'validation' not in printed
    [row] = csv_log.load(str(out))
    assert row['step'] == 1 and 'losses/gen_loss' in row and 'validation/L1' not in row
    assert not (out / 'development').exists() and not (out / 'development.html').exists()


def test_a_development_folder_that_cannot_be_cleared_costs_only_itself(pairs, tmp_path, capsys):
    out = str(tmp_path / 'out')
    config = replace(WATCHED, max_steps=1, eval_freq=0)
    training.train(pairs, out, config, val_data=pairs)
    os.makedirs(os.path.join(out, 'development', '1-9.png'))  # a folder, which is not removed so
    training.train(pairs, out, replace(config, max_steps=2), val_data=pairs)
    printed = capsys.readouterr().out
    assert f'cannot write {out}/development' in printed
    assert 'training continues without it' in printed and 'trained to step 2' in printed


def test_what_is_left_out_of_the_validation_images_is_said(pairs, tmp_path, capsys):
    folder = tmp_path / 'val'
    shutil.copytree(pairs, str(folder))
    (folder / 'x.bmp').write_bytes(b'')
    training.train(
        pairs, str(tmp_path / 'out'), replace(WATCHED, max_steps=1), val_data=str(folder)
    )
    assert f'leaving out 1 file of {folder}' in capsys.readouterr().out
