"""The Supervisor-managed train loop (the post's section "Train").

One process. `pix2pix_tf.distributed` trains one model on several, out of the same pieces.
"""

import contextlib
import os
import threading
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from pix2pix_tf import (
    checkpoints,
    dataset,
    diagnosis,
    image_names,
    images,
    options_file,
    saving,
    session,
)
from pix2pix_tf.config import Config, describe_size
from pix2pix_tf.evaluation import image_metrics, pages
from pix2pix_tf.evaluation.image_metrics import OptionalMetrics
from pix2pix_tf.model import Model, build_model, learning_rate_schedule
from pix2pix_tf.monitoring import best_checkpoint
from pix2pix_tf.monitoring.monitor import Monitor
from pix2pix_tf.monitoring.progress import Progress, is_due
from pix2pix_tf.monitoring.tensorboard import EventWriter
from pix2pix_tf.monitoring.validation import Validation
from pix2pix_tf.pairs import duplicates, find
from pix2pix_tf.system import compat, console, files, locks, machine, signals
from pix2pix_tf.system.console import count, print_line
from pix2pix_tf.system.errors import Pix2PixError, TrainingError

TRIM_FREQ = 50  # steps between two calls of machine.trim
LONGEST_STEP = '-999999999'  # in the name of a validation image

# {field of Model: its name in a message}; all must be finite after every step
FINITE_VALUES = {
    'discrim_loss': 'discrim_loss',
    'gen_loss_gan': 'gen_loss_GAN',
    'gen_loss_l1': 'gen_loss_L1',
    'discrim_gradient_sum': 'the gradient of discrim_loss',
    'gen_gradient_sum': 'the gradient of gen_loss',
}


class TrainingResult(NamedTuple):
    """What `train` returns."""

    step: int  # the global step it reached
    checkpoint: Optional[str]  # the newest one in the output folder


def train(  # noqa: PLR0913 - what the command has as flags
    data: str,
    out: str,
    config: Config = Config(),
    val_data: Optional[str] = None,
    skip_bad_files: bool = False,
    override: bool = False,
    optional: OptionalMetrics = OptionalMetrics(),
) -> TrainingResult:
    """Trains on the side-by-side pairs in the folder `data`; writes to the folder `out`.

    Resumes from the newest checkpoint in `out`, if there is one, with the options saved there. A
    different value or other data are an error, unless the option is changeable or `override` is on.
    SIGINT, SIGTERM, SIGHUP and a closed standard output end the run after the current step, saved.

    On a terminal, a live line shows the progress; elsewhere the post's lines do. The losses are
    written to losses.csv and to TensorBoard's events. With the folder `val_data`, some of its pairs
    are evaluated and displayed during the training, also by the `optional` metrics.

    Raises:
        DataError: a folder cannot be used, or some of its files cannot and `skip_bad_files` is off;
            the message names them.
        UsageError: `keep_best` is a metric that the validation does not measure.
        CheckpointError: the checkpoint in `out` does not fit, or the last save failed.
        TrainingError: a loss or gradient was not finite; nothing was saved after it.
        Pix2PixError: `out` cannot be written or is in use, a file that an optional metric needs
            cannot be used, or there is too little memory.
    """
    compat.use_graph_mode()
    pairs = find.find_pairs(data, skip_bad_files, panels=config.panels, bits=config.bits)
    best_checkpoint.check_possible(config, val_data, optional)
    watched = find_watched(val_data, config, skip_bad_files)
    described = options_file.describe_data(data, pairs.paths)
    with signals.stopping_on_signals(print_line) as stop, output_folder(out) as lock:
        checkpoint = find_resumed(out, config, None if override else described)
        check_files(out, config, checkpoint, watched)
        best = best_checkpoint.find(out, config, watched)
        for line in [describe(pairs.sizes, config), *notes_on(pairs, watched, val_data)]:
            print_line(line)
        session.prepare(config, print_line)
        measuring = image_metrics.opened(optional, config.channels)
        with measuring as compare, tf.Graph().as_default(), diagnosis.explained(pairs.paths):
            first_step = checkpoints.step_of(checkpoint)
            if config.seed is not None:
                # A resumed run must not see the same images in the same order again
                tf.set_random_seed(config.seed + first_step)
            batches = dataset.load_data(pairs.paths, config)
            max_steps = config.max_steps or config.max_epochs * batches.steps_per_epoch
            steps = range(first_step, max_steps)
            model = build_model(
                batches.inputs,
                batches.targets,
                config,
                loss_scale=session.loss_scale(config),
                learning_rate=learning_rate_schedule(config, max_steps),
            )

            saver = tf.train.Saver(max_to_keep=None)  # `saving` removes old checkpoints
            validation = watched and Validation(watched.paths, out, config, first_step, compare)
            monitor = Monitor(batches, model, out, config, steps, validation)

            def restore(sess):
                if checkpoint:
                    checkpoints.restore(saver, sess, checkpoint, tf.global_variables())

            sv = make_supervisor(restore, monitor.writer)
            with sv.managed_session(config=session.session_config(config)) as sess:
                origin = f'resuming from {checkpoint}' if first_step else 'starting from scratch'
                print_line(f'{describe_run(sess, pairs, data)}; {origin}')
                saves = saving.Saves(saver, sess, out, config, described, lock)
                step = first_step
                if is_reached(out, step, max_steps):
                    return TrainingResult(step, checkpoint)
                monitor.begin()
                fetches = step_fetches(batches, model)
                with Progress(steps, batches.steps_per_epoch, config) as progress:
                    while step < max_steps and not (should_stop(stop) or sv.should_stop()):
                        try:
                            results = monitor.run_step(sess, fetches, step + 1)
                        except (tf.errors.OutOfRangeError, tf.errors.CancelledError):
                            if not sv.should_stop():
                                raise
                            break  # a reader failed; the session raises its error when it closes
                        step = int(results['global_step'])
                        check_finite(step, results, out)
                        if step % TRIM_FREQ == 0:
                            machine.trim()

                        progress.show(step, results['checked'])
                        if is_due(config.progress_freq, step, steps):
                            progress.report(step, results['checked'], results['averages'])
                        rate = progress.recent_rate()
                        evaluated = monitor.record(sess, step, results, rate, stop)

                        if best and evaluated:
                            best.offer(saves, step, evaluated)
                        if saves.is_due(step, steps):
                            saves.save(step)
                monitor.end()
                conclude(saves, steps, step, stop)
    return TrainingResult(step, checkpoints.latest(out))


# What `train` and that of several processes have in common


@contextlib.contextmanager
def output_folder(out: str) -> Iterator[locks.Lock]:
    """Creates the folder `out` if it is missing, and locks it for this process.

    What a killed process has left in it is removed.

    Raises:
        Pix2PixError: it cannot be written, or is in use.
    """
    files.prepare_directory(out)
    with locks.locked(out) as lock:
        saving.remove_unfinished(out)
        yield lock


def find_watched(
    val_data: Optional[str], config: Config, skip_bad_files: bool
) -> Optional[find.Pairs]:
    """The validation pairs to evaluate and display during a training; None if there are none.

    Raises:
        DataError: the folder `val_data` cannot be used.
    """
    if not val_data:
        return None
    if not (config.display_freq or config.eval_freq):
        find.find_images(val_data, 'val_data')  # or a typo would remain unnoticed
        return None
    shape = config.panels, config.bits
    watched = find.find_pairs(val_data, skip_bad_files, 'val_data', config.eval_images, *shape)
    image_names.check_names(images.output_names(watched.paths), LONGEST_STEP + '.png')
    return watched


def find_resumed(
    out: str, config: Config, data: Optional[options_file.Data] = None
) -> Optional[str]:
    """The newest checkpoint in the folder `out`; None without one.

    With `data`, the options and the data must be those of the run that saved it.

    Raises:
        CheckpointError: they are others; the message names the differences.
    """
    checkpoint = checkpoints.latest(out)
    if checkpoint and data:
        options_file.check_same(out, config, data)
    return checkpoint


def check_files(
    out: str, config: Config, checkpoint: Optional[str], watched: Optional[find.Pairs]
) -> None:
    """Refuses a folder with files of other programs that the training would replace later.

    Raises:
        UsageError: there is one; the message names it.
    """
    if not checkpoint:  # else options.json has been read
        files.check_ours(os.path.join(out, options_file.FILENAME), options_file.MARK, 'out')
    if watched and config.display_freq:
        pages.check_ours(out, 'out', pages.DEVELOPMENT_FILE)


def describe(sizes: Sequence[find.WidthHeight], config: Config) -> str:
    """One line about what a training learns from files of these (width, height), and how."""
    learns = {'BtoA': 'left half from the right', 'AtoB': 'right half from the left'}
    other = {'BtoA': 'AtoB', 'AtoB': 'BtoA'}[config.direction]
    parts = 'halves'
    if config.panels > 2:
        sides = {'BtoA': ('left', 'right'), 'AtoB': ('right', 'left')}[config.direction]
        targets, inputs = config.output_panels, config.input_panels
        from_them = f'{sides[0]} {count(targets, "panel")} from the {inputs} on the {sides[1]}'
        learns, parts = {config.direction: from_them}, 'panels'
    if (config.channels, config.bits) != (3, 8):
        kind = {3: 'RGB', 1: 'gray'}[config.channels]
        parts = f'{kind} {parts}, {config.bits} bits,'
    mirrored = '; half of the pairs are mirrored at random' if config.flip else ''
    return (
        f'direction {config.direction}: learns the {learns[config.direction]} ({other} is the '
        f'reverse); {parts} of {find.describe_panels(sizes, config.panels)} are scaled to '
        f'{describe_size(config.scale_size)} and cropped to {describe_size(config.crop_size)}'
        f'{mirrored}'
    )


def notes_on(
    pairs: find.Pairs, watched: Optional[find.Pairs], val_data: Optional[str]
) -> List[str]:
    """Lines about the data that people should see, such as leaks into the validation images."""
    notes = list(pairs.notes)
    if watched:
        notes += [note for note in watched.notes if note not in notes]
    return notes + (duplicates.describe_shared(pairs.paths, val_data) if val_data else [])


def describe_run(sess: tf.Session, pairs: find.Pairs, data: str, part: str = '') -> str:
    """What trains, and on which data; `part` is that of this process among several."""
    number = count(len(pairs.paths), 'pair')
    return f'{compat.describe_devices(sess)}{part}; {number} in {data}'


def make_supervisor(
    restore: Callable[[tf.Session], object], writer: Optional[EventWriter]
) -> tf.train.Supervisor:
    """The post's Supervisor. Its session initializes all variables, then calls `restore`."""
    # With a logdir it would write the graph as text, which takes a tenth of the time to the first
    # step. TensorBoard gets the graph from the summary_writer. Its check that all variables have
    # values, with an op per variable, is not needed: `init_op` and `restore` give values to all.
    return tf.train.Supervisor(
        ready_op=None,
        ready_for_local_init_op=None,
        init_fn=restore,
        saver=None,
        summary_writer=writer,
    )


def step_fetches(batches: dataset.Batches, model: Model) -> Dict[str, Any]:
    """What every step runs and reads: {name: fetch}."""
    return {
        'train': model.train_op,
        'global_step': model.global_step,
        'paths': batches.paths,
        'checked': {name: getattr(model, name) for name in FINITE_VALUES},
    }


def should_stop(stop: threading.Event) -> bool:
    """Whether a signal has set `stop`, or standard output is closed."""
    return stop.is_set() or console.output_closed.is_set()


def is_reached(out: str, step: int, max_steps: int) -> bool:
    """Whether the run has reached its last step already, which is then printed."""
    if step < max_steps:
        return False
    print_line(
        f'{out} has already reached step {step} of {max_steps}: raise `max_epochs` or `max_steps`'
    )
    return True


def check_finite(step: int, results: Dict[str, Any], out: str) -> None:
    """Checks the numbers of a step: `results` are those of `step_fetches`.

    Raises:
        TrainingError: one is not finite; the message names it and the images of the step.
    """
    bad = [
        f'{FINITE_VALUES[name]} is {value}'
        for name, value in results['checked'].items()
        if not np.isfinite(value)
    ]
    if bad:
        names = ', '.join(os.fsdecode(path) for path in results['paths'])
        raise TrainingError(
            f'step {step}: {", ".join(bad)}, on {names}; nothing was saved after it: check these '
            f'images, or train again from the last checkpoint in {out} with a lower '
            '`learning_rate` and `override`'
        )


def conclude(saves: saving.Saves, steps: range, step: int, stop: threading.Event) -> None:
    """Saves the last `step` of a run, unless that is done, and prints how the run ended.

    Raises:
        CheckpointError: the last save failed, or the last one of the best checkpoint.
        Pix2PixError: standard output was closed.
    """
    if steps.start < step < steps.stop and saves.saved_step != step:
        saves.save(step)
    if saves.error:
        raise saves.error
    saved = f', saved in {saves.out}' if saves.saved_step == step else ''
    if step == steps.stop:
        print_line(f'trained to step {step}, saved in {saves.out}/{checkpoints.BASENAME}-{step}')
    elif console.output_closed.is_set():
        raise Pix2PixError(f'standard output was closed: stopped at step {step}{saved}')
    elif stop.is_set():
        print_line(f'stopped at step {step} of {steps.stop}{saved}; the same command resumes it')
    if saves.best_error:
        raise saves.best_error
