"""losses.csv and TensorBoard's events."""

import glob
import os
import types

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from support.helpers import read_events

from pix2pix_tf.monitoring import csv_log, tensorboard
from pix2pix_tf.monitoring.csv_log import LossLog
from pix2pix_tf.monitoring.tensorboard import EventWriter
from pix2pix_tf.system.errors import Pix2PixError


def scalars(out):
    """{tag: {step: value}} as TensorBoard reads it."""
    accumulator = read_events(out)
    return {
        tag: {event.step: event.value for event in accumulator.Scalars(tag)}
        for tag in accumulator.Tags()['scalars']
    }


def record(out, first_step, steps, value):
    """A run from `first_step` that writes `value` at each of `steps`."""
    recorder = LossLog(str(out), EventWriter(str(out)), first_step)
    recorder.begin()
    for step in steps:
        recorder.add(step, {'losses/gen_loss_L1': value})
    return recorder


def test_rows_come_back_and_reach_tensorboard(tmp_path):
    record(tmp_path, 0, [1, 2, 12345678], 0.1234567)
    rows = csv_log.load(str(tmp_path))
    assert [row['step'] for row in rows] == [1, 2, 12345678]
    assert {row['losses/gen_loss_L1'] for row in rows} == {0.1234567}
    assert all('validation/L1' not in row for row in rows)
    got = scalars(tmp_path)['losses/gen_loss_L1']
    assert list(got) == [1, 2, 12345678]
    np.testing.assert_allclose(list(got.values()), 0.1234567, rtol=1e-6)


def test_a_resumed_run_replaces_the_steps_after_its_checkpoint(tmp_path):
    """Saved at step 20 and killed at 40: what comes after 20 is of the second run alone."""
    record(tmp_path, 0, [10, 20, 30, 40], 1.0)
    record(tmp_path, 20, [25, 30, 35], 2.0)
    want = {10: 1, 20: 1, 25: 2, 30: 2, 35: 2}
    assert scalars(tmp_path)['losses/gen_loss_L1'] == want
    rows = csv_log.load(str(tmp_path))
    assert {row['step']: row['losses/gen_loss_L1'] for row in rows} == want
    seconds = [row['seconds'] for row in rows]
    assert seconds == sorted(seconds)


def test_a_metric_that_only_some_runs_have_gets_a_column_with_its_first_value(tmp_path):
    record(tmp_path, 0, [10, 20], 1.0)
    path = tmp_path / 'losses.csv'
    assert path.read_text().splitlines()[0] == ','.join(csv_log.COLUMNS)
    resumed = record(tmp_path, 20, [30], 1.0)
    resumed.add(40, {'validation/LPIPS': 0.25})
    resumed.add(50, {'losses/gen_loss_L1': 1.0})
    assert path.read_text().splitlines()[0] == ','.join((*csv_log.COLUMNS, 'validation/LPIPS'))
    rows = csv_log.load(str(tmp_path))
    assert [row['step'] for row in rows] == [10, 20, 30, 40, 50]
    assert [row.get('validation/LPIPS') for row in rows] == [None, None, None, 0.25, None]
    assert scalars(tmp_path)['validation/LPIPS'] == {40: 0.25}
    # A run that measures it no longer keeps what was measured
    record(tmp_path, 50, [60], 1.0)
    assert csv_log.load(str(tmp_path))[3]['validation/LPIPS'] == 0.25


def test_half_a_line_of_a_full_disk_is_left_out(tmp_path):
    record(tmp_path, 0, [10, 20], 1.0)
    path = tmp_path / 'losses.csv'
    path.write_bytes(path.read_bytes()[:-20])
    assert [row['step'] for row in csv_log.load(str(tmp_path))] == [10]


@pytest.mark.parametrize('text', ['step,seconds\n1,two\n', 'seconds\n1\n', 'step\n1\n'])
def test_a_broken_file_is_named(tmp_path, text):
    (tmp_path / 'losses.csv').write_text(text)
    with pytest.raises(Pix2PixError) as error:
        csv_log.load(str(tmp_path))
    assert f'cannot use {tmp_path}/losses.csv' in str(error.value)
    assert 'move it to another folder' in str(error.value)


def test_a_file_that_cannot_be_written_costs_only_itself(tmp_path, capsys):
    recorder = record(tmp_path, 0, [1], 1.0)
    os.rename(str(tmp_path / 'losses.csv'), str(tmp_path / 'aside'))
    (tmp_path / 'losses.csv').mkdir()
    recorder.add(2, {})
    recorder.add(3, {})
    printed = capsys.readouterr().out
    assert printed.count(f'cannot write {tmp_path}/losses.csv: Is a directory') == 1
    (tmp_path / 'losses.csv').rmdir()
    recorder.add(4, {})
    assert [row['step'] for row in csv_log.load(str(tmp_path))] == [1, 2, 3, 4]


def test_events_continue_in_a_new_file_once_there_is_room(tmp_path, capsys, monkeypatch):
    disk = types.SimpleNamespace(full=False)
    create = tf.python_io.TFRecordWriter

    class Writer:
        def __init__(self, path):
            self.file = create(path)
            self.flush = self.file.flush

        def write(self, record):
            if disk.full:
                raise tf.errors.ResourceExhaustedError(None, None, 'x; No space left on device')
            self.file.write(record)

    monkeypatch.setattr(tensorboard.tf.python_io, 'TFRecordWriter', Writer)
    recorder = record(tmp_path, 0, [1, 2], 1.0)
    disk.full = True
    recorder.add(3, {'losses/gen_loss_L1': 1.0})
    recorder.add(4, {'losses/gen_loss_L1': 1.0})
    disk.full = False
    recorder.add(5, {'losses/gen_loss_L1': 1.0})
    printed = capsys.readouterr().out
    assert printed.count('No space left on device; training continues without it') == 1
    assert list(scalars(tmp_path)['losses/gen_loss_L1']) == [1, 2, 5]
    files = glob.glob(str(tmp_path / 'events.*'))
    assert len(files) == 2 and all(map(os.path.getsize, files))


def test_the_best_step_is_not_that_of_a_blur():
    """After 60 steps, facades are a gray-brown blur with a lower L1 than after 30,000."""
    rows = [{'step': step, 'seconds': 1} for step in (10, 60, 2000, 30000)]
    assert csv_log.best_step(rows) is None
    for row, l1, similarity in zip(rows[1:], (0.174, 0.180, 0.178), (0.2, 0.347, 0.371)):
        row.update({'validation/L1': l1, 'validation/MS-SSIM': similarity})
    assert csv_log.best_step(rows) == 30000


def test_a_file_that_is_taken_away_comes_back_whole(tmp_path):
    log = LossLog(str(tmp_path), EventWriter(str(tmp_path)), 0)
    log.begin()
    for step in (1, 2, 3):
        log.add(step, {'losses/gen_loss_L1': 0.5})
        if step == 2:
            (tmp_path / 'losses.csv').rename(tmp_path / 'taken.csv')
    assert [row['step'] for row in csv_log.load(str(tmp_path))] == [1, 2, 3]
