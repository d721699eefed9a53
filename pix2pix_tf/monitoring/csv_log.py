"""losses.csv: the losses and metrics of a run; the same as scalars for TensorBoard."""

import csv
import io
import math
import os
import time
import typing

import numpy as np
import tensorflow.compat.v1 as tf

from pix2pix_tf.evaluation import metrics
from pix2pix_tf.monitoring.progress import LOSS_LABELS
from pix2pix_tf.monitoring.tensorboard import EventWriter
from pix2pix_tf.system import files
from pix2pix_tf.system.errors import Pix2PixError

FILENAME = 'losses.csv'
VALIDATION = {'validation/' + name: name for name in metrics.NAMES}
# The file has these after COLUMNS, and only if a row has a value
OPTIONAL = {'validation/' + name: name for name in metrics.OPTIONAL_NAMES}
EVALUATED = {**VALIDATION, **OPTIONAL}
# The step with the highest value is the best; the other metrics in VALIDATION prefer a blur
BEST_BY = 'validation/MS-SSIM'
CAVEAT = (
    'validation: L1 and RMSE are of values from 0 to 1, gen_loss_L1 is of values from -1 to 1. '
    'L1, RMSE, PSNR and SSIM prefer a blurred image: look at development.html as well'
)
COLUMNS = (
    'step',
    'seconds',
    *(f'losses/{label}' for label in LOSS_LABELS),
    'losses/gen_loss',
    *(f'averages/{label}' for label in LOSS_LABELS),
    'discriminator/predict_real',
    'discriminator/predict_fake',
    'images_per_second',
    'learning_rate',
    *VALIDATION,
)

Row = typing.Dict[str, float]  # {column: value}; columns without a value are missing


def load(out: str) -> typing.List[Row]:
    """The rows of losses.csv in the folder `out`; [] if there is no such file.

    Raises:
        Pix2PixError: the file was not written by a training.
    """
    path = os.path.join(out, FILENAME)
    try:
        with open(path, newline='') as file:
            # On a full disk the last line may be cut inside a number; then it has no line end
            lines = [line for line in file if line.endswith('\n')]
        rows = [
            {name: float(row[name]) for name in (*COLUMNS, *OPTIONAL) if row.get(name)}
            for row in csv.DictReader(lines)
        ]
        if not all('step' in row and 'seconds' in row for row in rows):
            raise ValueError('a row has no step or no seconds')
        if not all(math.isfinite(row['step']) for row in rows):
            raise ValueError('a step is not a number')
        return rows
    except FileNotFoundError:
        return []
    except (OSError, ValueError, csv.Error) as error:
        raise Pix2PixError(f'cannot use {path} ({error}): move it to another folder') from error


def best_step(rows: typing.Sequence[Row]) -> typing.Optional[int]:
    """The step of the row with the highest validation MS-SSIM; None if no row has one."""
    evaluated = [row for row in rows if BEST_BY in row]
    if not evaluated:
        return None
    return int(max(evaluated, key=lambda row: row[BEST_BY])['step'])


class LossLog:
    """Writes losses.csv in `out`, and the same values for TensorBoard with `writer`.

    A failed write is reported once and does not stop the training.

    Raises:
        Pix2PixError: there is a losses.csv that was not written by a training.
    """

    def __init__(self, out: str, writer: EventWriter, first_step: int) -> None:
        self.path, self.writer, self.first_step = os.path.join(out, FILENAME), writer, first_step
        self.rows = [row for row in load(out) if row['step'] <= first_step]
        self.start = time.monotonic() - (self.rows[-1]['seconds'] if self.rows else 0)
        self.writes = files.OptionalWrites()
        self.columns = ()  # of losses.csv; () unless it holds all rows so far

    def begin(self) -> None:
        """Removes the rows after `first_step`: they belong to an abandoned run."""
        with self.writes:
            self._write()
        # TensorBoard drops what it has from this step on
        start = tf.SessionLog(status=tf.SessionLog.START)
        self.writer.add_session_log(start, self.first_step + 1)

    def add(self, step: int, values: Row) -> None:
        """Adds a row, and one scalar per value for TensorBoard."""
        self.rows.append(dict(values, step=step, seconds=time.monotonic() - self.start))
        with self.writes:
            self._write()
        scalars = [tf.Summary.Value(tag=name, simple_value=v) for name, v in values.items()]
        self.writer.add_summary(tf.Summary(value=scalars), step)

    def _write(self):
        written, self.columns = self.columns, ()  # until this write succeeds
        optional = {name for row in self.rows for name in row if name in OPTIONAL}
        columns = (*COLUMNS, *(name for name in OPTIONAL if name in optional))
        if columns == written and os.path.exists(self.path):
            self._append(columns)
        else:
            header = ','.join(columns) + '\n'
            files.write_whole(self.path, (header + _format(self.rows, columns)).encode())
        self.columns = columns

    def _append(self, columns):
        try:
            with open(self.path, 'a', newline='') as file:
                file.write(_format(self.rows[-1:], columns))
        except OSError as error:
            raise files.unwritable(self.path, error) from error


def _format(rows, columns):
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator='\n')
    for row in rows:
        numbers = {name: f'{value:.7g}' for name, value in row.items()}
        writer.writerow(dict(numbers, step=int(row['step'])))
    return stream.getvalue()


def row_of(results: typing.Dict[str, typing.Any], rate: float, learning_rate: float) -> Row:
    """A row of losses.csv from the results of a step, without validation metrics."""
    losses, averages = results['checked'], results['averages']
    values = {f'losses/{label}': losses[name] for label, name in LOSS_LABELS.items()}
    values['losses/gen_loss'] = results['gen_loss']
    values.update({f'averages/{label}': averages[name] for label, name in LOSS_LABELS.items()})
    for name in ('predict_real', 'predict_fake'):
        values[f'discriminator/{name}'] = np.mean(results[name])
    values['images_per_second'] = rate
    values['learning_rate'] = learning_rate
    return {name: float(value) for name, value in values.items()}
