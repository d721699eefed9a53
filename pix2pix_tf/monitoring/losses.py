"""What a training leaves behind of its course: losses.csv, TensorBoard's events, traces."""

import csv
import io
import os
import time

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.client import timeline

from pix2pix_tf.evaluation import metrics
from pix2pix_tf.system import files
from pix2pix_tf.system.errors import Pix2PixError
from pix2pix_tf.monitoring.progress import REPORTED, Attempts

FILENAME = 'losses.csv'
VALIDATION = {'validation/' + name: name for name in metrics.NAMES}
BEST_BY = 'validation/L1'  # the step with the least of it is the best
COLUMNS = (
    'step',
    'seconds',
    *(f'losses/{label}' for label in REPORTED),
    'losses/gen_loss',
    *(f'averages/{label}' for label in REPORTED),
    'discriminator/predict_real',
    'discriminator/predict_fake',
    'images_per_second',
    'learning_rate',
    *VALIDATION,
)


def load(out_dir):
    """The rows of losses.csv in `out_dir`, {column: float} of what stands in each; [] without it.

    Raises:
        Pix2PixError: it is not what a training writes.
    """
    path = os.path.join(out_dir, FILENAME)
    try:
        with open(path, newline='') as file:
            # Without its end, the last line is of a disk that was full: half a number may be one
            lines = [line for line in file if line.endswith('\n')]
        rows = [
            {name: float(row[name]) for name in COLUMNS if row.get(name)}
            for row in csv.DictReader(lines)
        ]
        if not all('step' in row and 'seconds' in row for row in rows):
            raise ValueError('a row lacks its step or its seconds')
        return rows
    except FileNotFoundError:
        return []
    except (OSError, ValueError, csv.Error) as error:
        raise Pix2PixError(f'{path} can not be used ({error}): move it out of the way') from error


def best_step(rows):
    """The step of the row with the best validation picture figures; None where there is none."""
    evaluated = [row for row in rows if BEST_BY in row]
    if not evaluated:
        return None
    return int(min(evaluated, key=lambda row: row[BEST_BY])['step'])


class Recorder:
    """Keeps losses.csv and TensorBoard's events of a run that goes on from `first_step`.

    What is there of steps behind `first_step` is of a course that was given up; it goes. A file
    that can't be written is said so once, and costs the training nothing.
    """

    def __init__(self, out_dir, writer, first_step):
        self.out_dir, self.writer = out_dir, writer
        self.path = os.path.join(out_dir, FILENAME)
        self.rows = [row for row in load(out_dir) if row['step'] <= first_step]
        self.start = time.time() - (self.rows[-1]['seconds'] if self.rows else 0)
        self.attempts = Attempts()
        self.attempts(self._write_all)
        # TensorBoard drops what it knows of the step of a start and later.
        writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), first_step + 1)

    def add(self, step, values):
        """Adds a row of {column: float}, and a scalar of each for TensorBoard."""
        self.rows.append(dict(values, step=step, seconds=time.time() - self.start))
        self.attempts(self._write_all if self.attempts.failing else self._append)
        scalars = [tf.Summary.Value(tag=name, simple_value=v) for name, v in values.items()]
        self.writer.add_summary(tf.Summary(value=scalars), step)

    def add_trace(self, step, metadata):
        """Writes trace-{step}.json for chrome://tracing, and the same for TensorBoard."""
        self.writer.add_run_metadata(metadata, f'step_{step}', step)
        trace = timeline.Timeline(metadata.step_stats).generate_chrome_trace_format()
        path = os.path.join(self.out_dir, f'trace-{step}.json')
        self.attempts(lambda: files.write_whole(path, trace.encode()))

    def _append(self):
        try:
            with open(self.path, 'a', newline='') as file:
                file.write(_format(self.rows[-1:]))
        except OSError as error:
            raise files.unwritable(self.path, error) from error

    def _write_all(self):
        header = ','.join(COLUMNS) + '\n'
        files.write_whole(self.path, (header + _format(self.rows)).encode())


def _format(rows):
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator='\n')
    for row in rows:
        numbers = {name: f'{value:.7g}' for name, value in row.items()}
        writer.writerow(dict(numbers, step=int(row['step'])))
    return stream.getvalue()


def scalars(results, rate, config):
    """{column: float} for a row of losses.csv, from what a step has given."""
    losses, averages = results['checked'], results['averages']
    values = {f'losses/{label}': losses[name] for label, name in REPORTED.items()}
    values['losses/gen_loss'] = results['gen_loss']
    values.update({f'averages/{label}': averages[name] for label, name in REPORTED.items()})
    for name in ('predict_real', 'predict_fake'):
        values[f'discriminator/{name}'] = np.mean(results[name])
    values['images_per_second'] = rate
    values['learning_rate'] = config.learning_rate
    return {name: float(value) for name, value in values.items()}
