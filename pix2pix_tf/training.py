"""The Supervisor-managed train loop (the post's section "Train")."""

import typing

import tensorflow.compat.v1 as tf

from pix2pix_tf import checkpoints, dataset, diagnosis, images, options
from pix2pix_tf.config import Config
from pix2pix_tf.model import Model, build_model
from pix2pix_tf.monitoring.finite import FINITE_VALUES, check_finite
from pix2pix_tf.monitoring.monitor import Monitor
from pix2pix_tf.monitoring.progress import Progress
from pix2pix_tf.monitoring.schedule import Schedule
from pix2pix_tf.monitoring.validation import Validation
from pix2pix_tf.pairs import folders, leaks
from pix2pix_tf.sizes import describe_size
from pix2pix_tf.system import console, files, gpu, locks, malloc, runtime, signals
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import CheckpointError, Pix2PixError

TRIM_FREQ = 50  # steps between two calls of malloc.trim
LONGEST_STEP = '-999999999'  # in the name of a validation image


class TrainingResult(typing.NamedTuple):
    """What `train` returns."""

    step: int  # the global step it reached
    checkpoint: typing.Optional[str]  # the newest one in the output folder


def train(
    data: str,
    out: str,
    config: Config = Config(),
    val_data: typing.Optional[str] = None,
    skip_bad_files: bool = False,
    override: bool = False,
) -> TrainingResult:
    """Trains on the side-by-side pairs in the folder `data`; writes to the folder `out`.

    Resumes from the newest checkpoint in `out`, if there is one, with the options saved there. A
    different value or other data are an error, unless the option is changeable or `override` is on.
    SIGINT, SIGTERM, SIGHUP and a closed standard output end the run after the current step, saved.

    On a terminal, a live line shows the progress; elsewhere the post's lines do. The losses go to
    losses.csv and to TensorBoard's events. With the folder `val_data`, some of its pairs are
    evaluated and displayed during the training, too.

    Raises:
        DataError: a folder cannot be used, or some of its files cannot and `skip_bad_files` is off;
            the message names them.
        CheckpointError: the checkpoint in `out` does not fit, or the last save failed.
        TrainingError: a loss or gradient was not finite; nothing was saved after it.
        Pix2PixError: `out` cannot be written or is in use, or there is too little memory.
    """
    runtime.use_graph_mode()
    pairs = folders.find_pairs(data, skip_bad_files)
    validation = None
    if val_data and (config.display_freq or config.eval_freq):
        validation = folders.find_pairs(val_data, skip_bad_files, 'val_data', config.eval_images)
        images.check_names(images.output_names(validation.paths), LONGEST_STEP + '.png')
    if val_data:
        pairs.notes.extend(leaks.notes(pairs.paths, val_data))
    source = options.describe_data(data, pairs.paths)
    files.prepare_directory(out)
    with locks.locked(out), signals.stopping_on_signals(print_line) as stop:
        checkpoints.remove_unfinished(out)
        checkpoint = checkpoints.latest(out)
        if checkpoint and not override:
            _check_options(out, config, source)
        _describe(data, pairs, config)
        gpu.prepare(config, print_line)
        with tf.Graph().as_default():
            val_paths = validation.paths if validation else []
            run = _build(pairs.paths, val_paths, out, config, checkpoint)
            try:
                supervisor = _make_supervisor(run, checkpoint)
                with supervisor.managed_session(config=gpu.session_config(config)) as session:
                    origin = 'starting from scratch'
                    if checkpoint:
                        origin = f'resuming from {checkpoint}'
                    device = runtime.describe_devices(session)
                    print_line(f'{device}; {len(pairs.paths)} pairs in {data}; {origin}')
                    step = _Loop(run, supervisor, session, stop, source).train()
            except tf.errors.OpError as error:
                diagnosis.raise_explained(error, pairs.paths)
        return TrainingResult(step, checkpoints.latest(out))


def _describe(data, pairs, config):
    """Prints what the training will learn from, and how."""
    learns = {'BtoA': 'left half from the right', 'AtoB': 'right half from the left'}
    other = {'BtoA': 'AtoB', 'AtoB': 'BtoA'}[config.direction]
    print_line(
        f'direction {config.direction}: learns the {learns[config.direction]} ({other} is the '
        f'reverse); halves of {folders.describe_halves(pairs.sizes)} are scaled to '
        f'{describe_size(config.scale_size)} and cropped to {describe_size(config.crop_size)}'
    )
    for note in pairs.notes:
        print_line(note)


def _check_options(out, config, source):
    """Raises CheckpointError if `config` or the data would not continue the run saved in `out`."""
    different = options.differences(out, config, source)
    if different:
        raise CheckpointError(
            f'{out} was trained with other options ({"; ".join(different)}): use the same, '
            'another `out`, or `override`'
        )


class _Run(typing.NamedTuple):
    """The graph of a run, and where and how it goes."""

    out: str
    config: Config
    schedule: Schedule
    batches: dataset.Batches
    model: Model
    monitor: Monitor
    saver: tf.train.Saver


def _build(paths, val_paths, out, config, checkpoint):
    """Builds everything into the default graph."""
    first_step = checkpoints.step_of(checkpoint)
    if config.seed is not None:
        # A resumed run must not see the same images in the same order again
        tf.set_random_seed(config.seed + first_step)
    batches = dataset.load_data(paths, config)
    model = build_model(batches.inputs, batches.targets, config)
    max_steps = config.max_steps or config.max_epochs * batches.steps_per_epoch
    schedule = Schedule(first_step, max_steps, batches.steps_per_epoch)
    saver = tf.train.Saver(max_to_keep=None)  # `checkpoints` removes old ones
    validation = Validation(val_paths, out, config, first_step) if val_paths else None
    monitor = Monitor(batches, model, out, config, schedule, validation)
    return _Run(out, config, schedule, batches, model, monitor, saver)


def _make_supervisor(run, checkpoint):
    """The post's Supervisor; its managed session initializes or restores all variables."""

    def restore(session):
        if checkpoint:
            checkpoints.restore(run.saver, session, checkpoint, tf.global_variables())

    # With a logdir it would write the graph as text, which takes a tenth of the time to the first
    # step. TensorBoard gets the graph from the summary_writer. Its check that all variables have
    # values, with an op per variable, is not needed: `init_op` and `restore` give values to all.
    return tf.train.Supervisor(
        ready_op=None,
        ready_for_local_init_op=None,
        init_fn=restore,
        saver=None,
        summary_writer=run.monitor.writer,
    )


class _Loop:
    """The steps of a run in a session, and its checkpoints."""

    def __init__(self, run, supervisor, session, stop, source):
        self.run, self.supervisor, self.session, self.stop = run, supervisor, session, stop
        self.saves = checkpoints.Saves(run.saver, session, run.out, run.config, source)

    def train(self):
        """Trains to the last step, or until something stops it; returns the step it reached."""
        run, schedule = self.run, self.run.schedule
        step = schedule.first_step
        if step >= schedule.last_step:
            print_line(
                f'{run.out} has already reached step {step} of {schedule.last_step}: raise '
                'max_epochs or max_steps'
            )
            return step
        run.monitor.begin()
        fetches = step_fetches(run.batches, run.model)
        with Progress(schedule, run.config.batch_size, run.config.progress_freq) as progress:
            while step < schedule.last_step and not self._should_stop():
                try:
                    results = run.monitor.run_step(self.session, fetches, step + 1)
                except (tf.errors.OutOfRangeError, tf.errors.CancelledError):
                    if not self.supervisor.should_stop():
                        raise
                    break  # a reader failed; the session raises its error when it closes
                step = int(results['global_step'])
                check_finite(step, results['checked'], results['paths'], run.out)

                progress.show(step, results['checked'])
                if step % TRIM_FREQ == 0:
                    malloc.trim()
                if schedule.is_due(run.config.progress_freq, step):
                    progress.report(step, results['checked'], results['averages'])
                rate = progress.recent_rate()
                run.monitor.record(self.session, step, results, rate, self.stop)

                is_last = step == schedule.last_step
                due = schedule.is_due(run.config.save_freq, step) or self.saves.is_due_by_time()
                if due or is_last:
                    self.saves.save(step)
        self._conclude(step)
        return step

    def _should_stop(self):
        stopped = self.stop.is_set() or console.output_closed.is_set()
        return stopped or self.supervisor.should_stop()

    def _conclude(self, step):
        """Saves the last step, unless that is done, and prints how the run ended."""
        out, last_step = self.run.out, self.run.schedule.last_step
        if self.run.schedule.first_step < step < last_step and self.saves.saved_step != step:
            self.saves.save(step)
        if self.saves.error:
            raise self.saves.error
        if console.output_closed.is_set() and step < last_step:
            raise Pix2PixError(
                f'standard output was closed: stopped at step {step}, saved in {out}'
            )
        if step == last_step:
            print_line(f'trained to step {step}, saved in {out}/{checkpoints.BASENAME}-{step}')
        elif self.stop.is_set():
            saved = f', saved in {out}' if self.saves.saved_step == step else ''
            print_line(f'stopped at step {step} of {last_step}{saved}; the same command resumes it')


def step_fetches(batches: dataset.Batches, model: Model) -> typing.Dict[str, typing.Any]:
    """What every step runs and reads: {name: fetch}."""
    return {
        'train': model.train_op,
        'global_step': model.global_step,
        'paths': batches.paths,
        'checked': {name: getattr(model, name) for name in FINITE_VALUES},
    }
