"""Records a run while it trains: which values, and when."""

import os
import threading
import typing

import tensorflow.compat.v1 as tf
from tensorflow.python.client import timeline

from pix2pix_tf.config import Config
from pix2pix_tf.dataset import Batches
from pix2pix_tf.model import Model
from pix2pix_tf.monitoring import csv_log, tensorboard
from pix2pix_tf.monitoring.progress import LOSS_LABELS, is_due
from pix2pix_tf.monitoring.tensorboard import EventWriter
from pix2pix_tf.monitoring.validation import Validation
from pix2pix_tf.system import files
from pix2pix_tf.system.console import count, print_line

Results = typing.Dict[str, typing.Any]


class Monitor:
    """Records a run in the folder `out`: losses, summaries, traces, validation images.

    Built into the default graph, after the model.

    Raises:
        Pix2PixError: `out` has a losses.csv that was not written by a training.
    """

    def __init__(
        self,
        batches: Batches,
        model: Model,
        out: str,
        config: Config,
        steps: range,
        validation: typing.Optional[Validation] = None,
    ) -> None:
        self.out, self.config, self.steps = out, config, steps
        self.validation = validation
        self.writer = EventWriter(out)  # the Supervisor writes the graph with it
        self.log = csv_log.LossLog(out, self.writer, steps.start)
        self.traces = files.OptionalWrites()
        self.explained = False  # whether csv_log.CAVEAT was printed
        self.scalars = {
            'averages': {name: getattr(model, name + '_average') for name in LOSS_LABELS.values()},
            'gen_loss': model.gen_loss,
            'predict_real': model.predict_real,
            'predict_fake': model.predict_fake,
        }
        if config.decay_from is not None:
            self.scalars['learning_rate'] = model.learning_rate
        self.summaries = {}  # {name: (freq, op)}
        if config.display_freq:
            op = tensorboard.build_images(batches.inputs, batches.targets, model, config)
            self.summaries['images'] = config.display_freq, op
        if config.histogram_freq:
            op = tensorboard.build_histograms(model)
            self.summaries['histograms'] = config.histogram_freq, op

    def begin(self) -> None:
        """Removes the records of an abandoned run after the first step of this one."""
        self.log.begin()
        if self.validation:
            self.validation.begin()

    def run_step(
        self, session: tf.Session, fetches: typing.Dict[str, typing.Any], step: int
    ) -> Results:
        """Runs `fetches` and the summaries due after `step`, with a trace if one is due."""
        # The scalars are always fetched: TensorFlow prepares every new set of fetches for a second
        fetches = dict(fetches, **self.scalars)
        for name, (freq, op) in self.summaries.items():
            if is_due(freq, step, self.steps):
                fetches[name] = op
        if not is_due(self.config.trace_freq, step, self.steps):
            return session.run(fetches)
        metadata = tf.RunMetadata()
        options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        results = session.run(fetches, options=options, run_metadata=metadata)
        self._write_trace(step, metadata)
        return results

    def record(
        self, session: tf.Session, step: int, results: Results, rate: float, stop: threading.Event
    ) -> typing.Dict[str, float]:
        """Writes the `results` that are due, and evaluates and displays the validation images.

        `rate` is in images per second. Once `stop` is set, no validation image is evaluated.
        Returns the metrics of the evaluation, {name: value}; {} without one.
        """
        for name in self.summaries:
            if name in results:
                self.writer.add_summary(results[name], step)
        row = {}
        if is_due(self.config.summary_freq, step, self.steps):
            learning_rate = results.get('learning_rate', self.config.learning_rate)
            row = csv_log.row_of(results, rate, learning_rate)
        evaluated = {}
        if self.validation and is_due(self.config.eval_freq, step, self.steps):
            evaluated = self.validation.evaluate(session, stop)
        if row or evaluated:
            self.log.add(step, dict(row, **evaluated))
        if evaluated:
            if not self.explained:
                print_line(csv_log.CAVEAT)
                self.explained = True
            print_line(self._describe(step, evaluated))
        displaying = is_due(self.config.display_freq, step, self.steps) and not stop.is_set()
        if self.validation and displaying:
            self.validation.display(session, step)
        return {csv_log.EVALUATED[column]: value for column, value in evaluated.items()}

    def end(self) -> None:
        """Ends the records of a training that is complete, or was stopped."""
        if self.validation and self.config.display_freq:
            self.validation.end()

    def _describe(self, step, evaluated):
        values = '  '.join(
            f'{csv_log.EVALUATED[column]} {value:.4f}' for column, value in evaluated.items()
        )
        best = csv_log.best_step(self.log.rows)
        number = count(len(self.validation.paths), 'image')
        where = 'so far' if best == step else f'was at step {best}'
        compared = f', the highest MS-SSIM {where}' if best else ''
        return f'validation  {values}  on {number}{compared}'

    def _write_trace(self, step, metadata):
        """Writes trace-{step}.json for chrome://tracing, and the same for TensorBoard."""
        self.writer.add_run_metadata(metadata, f'step_{step}', step)
        trace = timeline.Timeline(metadata.step_stats).generate_chrome_trace_format()
        with self.traces:
            files.write_whole(os.path.join(self.out, f'trace-{step}.json'), trace.encode())
