"""The train loop (the post's section "Train"): steps, reports, checkpoints."""

import typing

import tensorflow.compat.v1 as tf

from pix2pix_tf import checkpoints, dataset, options_file, saving
from pix2pix_tf.config import Config
from pix2pix_tf.distributed.replica import Replica
from pix2pix_tf.model import Model
from pix2pix_tf.monitoring.finite import FINITE_VALUES, check_finite
from pix2pix_tf.monitoring.monitor import Monitor
from pix2pix_tf.monitoring.progress import Progress
from pix2pix_tf.monitoring.schedule import Schedule
from pix2pix_tf.system import console, machine
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import Pix2PixError, TrainingError

TRIM_FREQ = 50  # steps between two calls of machine.trim


class Run(typing.NamedTuple):
    """The graph of a run, and where and how it goes."""

    out: str
    config: Config
    schedule: Schedule
    batches: dataset.Batches
    model: Model
    monitor: typing.Optional[Monitor]  # the chief's
    saver: tf.train.Saver
    replica: Replica


class Loop:
    """The steps of a run in a session, and its checkpoints.

    `data` is what options.json records of the training pairs; None for a worker that is not the
    chief.
    """

    def __init__(
        self,
        run: Run,
        supervisor: tf.train.Supervisor,
        session: tf.Session,
        data: typing.Optional[options_file.Data],
    ) -> None:
        self.run, self.supervisor, self.session = run, supervisor, session
        self.stop = run.replica.stop
        self.saves = saving.Saves(run.saver, session, run.out, run.config, data)

    def train(self) -> int:
        """Trains to the last step, or until something stops it; returns the step it reached."""
        run, schedule, monitor = self.run, self.run.schedule, self.run.monitor
        assert monitor, 'only the chief has one; the others follow'
        step = schedule.first_step
        if step >= schedule.last_step:
            print_line(
                f'{run.out} has already reached step {step} of {schedule.last_step}: raise '
                'max_epochs or max_steps'
            )
            return step
        monitor.begin()
        fetches = step_fetches(run.batches, run.model, run.replica)
        pairs_per_step = run.config.batch_size * run.replica.size
        with Progress(schedule, pairs_per_step, run.config.progress_freq) as progress:
            while step < schedule.last_step and not self._should_stop():
                try:
                    results = monitor.run_step(self.session, fetches, step + 1)
                except (tf.errors.OutOfRangeError, tf.errors.CancelledError):
                    if not self.supervisor.should_stop():
                        raise
                    break  # a reader failed; the session raises its error when it closes
                step = int(results['global_step'])
                self._check(step, results)

                progress.show(step, results['checked'])
                if step % TRIM_FREQ == 0:
                    machine.trim()
                if schedule.is_due(run.config.progress_freq, step):
                    progress.report(step, results['checked'], results['averages'])
                rate = progress.recent_rate()
                monitor.record(self.session, step, results, rate, self.stop)

                is_last = step == schedule.last_step
                due = schedule.is_due(run.config.save_freq, step) or self.saves.is_due_by_time()
                if due or is_last:
                    self.saves.save(step)
        self._conclude(step)
        return step

    def follow(self) -> int:
        """`train` for a worker that is not the chief: it only computes."""
        run, schedule, step = self.run, self.run.schedule, self.run.schedule.first_step
        fetches = step_fetches(run.batches, run.model, run.replica)
        while step < schedule.last_step and not self._should_stop():
            results = self.session.run(fetches)
            step = int(results['global_step'])
            self._check(step, results)
            if step % TRIM_FREQ == 0:
                machine.trim()
        print_line(f'trained to step {step} as {run.replica.name}')
        return step

    def _check(self, step, results):
        """Ends the run if a number is not finite; notes whether the workers stop here."""
        try:
            check_finite(step, results['checked'], results['paths'], self.run.out)
        except TrainingError:
            self.run.replica.wait_for_culprit(results['checked'])
            raise
        self.run.replica.note(results)

    def _should_stop(self):
        return self.run.replica.should_stop() or self.supervisor.should_stop()

    def _conclude(self, step):
        """Saves the last step, unless that is done, and prints how the run ended."""
        out, last_step = self.run.out, self.run.schedule.last_step
        if self.run.schedule.first_step < step < last_step and self.saves.saved_step != step:
            self.saves.save(step)
        if self.saves.error:
            raise self.saves.error
        saved = f', saved in {out}' if self.saves.saved_step == step else ''
        if console.output_closed.is_set() and step < last_step:
            raise Pix2PixError(f'standard output was closed: stopped at step {step}{saved}')
        if step == last_step:
            print_line(f'trained to step {step}, saved in {out}/{checkpoints.BASENAME}-{step}')
        elif self.stop.is_set():
            print_line(f'stopped at step {step} of {last_step}{saved}; the same command resumes it')


def step_fetches(
    batches: dataset.Batches, model: Model, replica: typing.Optional[Replica] = None
) -> typing.Dict[str, typing.Any]:
    """What every step runs and reads: {name: fetch}."""
    extra = replica.fetches() if replica else {}
    return {
        **extra,
        'train': model.train_op,
        'global_step': model.global_step,
        'paths': batches.paths,
        'checked': {name: getattr(model, name) for name in FINITE_VALUES},
    }
