"""The Supervisor-managed train loop (section "Train")."""

import os
import time

import numpy as np
import tensorflow.compat.v1 as tf

from pix2pix_tf import checkpoints, dataset, diagnosis
from pix2pix_tf.system import files, gpu, locks, malloc, runtime, signals
from pix2pix_tf import config as configs
from pix2pix_tf.config import Config
from pix2pix_tf.system.errors import CheckpointError, Pix2PixError, TrainingError
from pix2pix_tf.monitoring.events import EventWriter
from pix2pix_tf.model import build_model
from pix2pix_tf.monitoring.progress import Progress, say
from pix2pix_tf.monitoring.monitor import Watch

# The numbers that have to be finite at every step, and what a message calls them
CHECKED = {
    'discrim_loss': 'discrim_loss',
    'gen_loss_gan': 'gen_loss_GAN',
    'gen_loss_l1': 'gen_loss_L1',
    'discrim_gradient_sum': 'the gradient of discrim_loss',
    'gen_gradient_sum': 'the gradient of gen_loss',
}


def train(data_dir, out_dir, config=Config(), skip_bad_files=False, override=False, val_dir=None):
    """Trains on the side-by-side pairs in `data_dir`; checkpoints and options go to `out_dir`.

    Goes on from the newest checkpoint in `out_dir` where there is one, with the options saved
    there, but for those in `config.FREE`; `override` lets the others differ, too. SIGINT and
    SIGTERM end it after the step in flight, saved. Returns the global step that was reached.

    On a terminal a live line shows how far it is, elsewhere the post's lines. The course of the
    losses goes to `out_dir`/losses.csv and TensorBoard's events. With the folder `val_dir`, some of
    its pairs are looked at from time to time: their figures go there as well, their pictures to
    development.html.

    Raises:
        DataError: the folder or some of its files can't be used, and are not to be skipped by
            `skip_bad_files`; the message names them.
        CheckpointError: what is in `out_dir` does not fit, or the last save failed.
        TrainingError: a loss or gradient was no finite number; nothing was saved after that.
        Pix2PixError: `out_dir` can't be written or is in use, or there is too little memory.
    """
    runtime.use_graph_mode()
    found = dataset.find_images(data_dir)
    paths = dataset.check_images(found, skip_bad_files)
    if len(paths) < len(found):
        print(f'skipping {len(found) - len(paths)} bad files of {len(found)}')
    files.prepare_directory(out_dir)
    with locks.locked(out_dir), signals.stopping_on_signals(say) as stop:
        checkpoints.remove_debris(out_dir)
        checkpoint = checkpoints.latest(out_dir)
        if checkpoint and not override:
            _check_options(out_dir, config)
        gpu.check(config, say)
        with tf.Graph().as_default():
            if config.seed is not None:
                # Resumed, a run must not be shown again what it saw from its first step on.
                tf.set_random_seed(config.seed + checkpoints.step_of(checkpoint))
            batches = dataset.load_data(data_dir, config, input_paths=paths)
            model = build_model(batches.inputs, batches.targets, config)
            saver = checkpoints.make_saver(out_dir, config.keep)
            watch = Watch(batches, model, out_dir, val_dir, config, skip_bad_files)

            def restore(session):
                if checkpoint:
                    checkpoints.restore(saver, session, checkpoint, tf.global_variables())

            # With a logdir it would write the graph as text, too, a tenth of the time to the first
            # step. TensorBoard gets the graph by the summary_writer.
            sv = tf.train.Supervisor(
                init_fn=restore, saver=None, summary_writer=EventWriter(out_dir)
            )
            try:
                with sv.managed_session(config=gpu.session_config(config)) as session:
                    origin = f'resuming from {checkpoint}' if checkpoint else 'starting anew'
                    device = runtime.describe_devices(session)
                    say(f'{device}; {len(paths)} pairs in {data_dir}; {origin}')
                    save = _Saving(saver, session, out_dir, config)
                    return _run_steps(session, sv, model, batches, save, stop, watch, config)
            except tf.errors.OpError as error:
                raise (diagnosis.explain(error, paths) or error) from error


def _check_options(out_dir, config):
    """Raises CheckpointError where `config` would not continue the run saved in `out_dir`."""
    saved = configs.load(out_dir)
    different = configs.differences(saved, config) if saved else []
    if different:
        raise CheckpointError(
            f'{out_dir} was trained with other options ({"; ".join(different)}): give those, '
            'another folder, or --override'
        )


class _Saving:
    """When to save, and what became of it: a save that fails costs the run nothing but itself."""

    def __init__(self, saver, session, out_dir, config):
        self.saver, self.session, self.out_dir, self.config = saver, session, out_dir, config
        self.last_time = time.time()
        self.saved_step = None  # of the last save that went well in this process
        self.error = None  # of the last save, where it failed

    def is_due(self):
        save_secs = self.config.save_secs
        return save_secs and time.time() - self.last_time >= save_secs

    def __call__(self, step):
        say('saving model')
        self.last_time = time.time()
        try:
            # Not before there is something to save: a run that failed by its options leaves those
            # of the checkpoint it started from.
            if self.saved_step is None:
                configs.save(self.config, self.out_dir)
            checkpoints.save(self.saver, self.session, self.out_dir, step)
        except Pix2PixError as error:
            self.error = error
            say(f'{error}; what was saved before is kept, and the next save tries again')
        else:
            self.error, self.saved_step = None, step


def _run_steps(session, sv, model, batches, save, stop, watch, config):
    steps_per_epoch, out_dir = batches.steps_per_epoch, save.out_dir
    max_steps = config.max_steps or config.max_epochs * steps_per_epoch
    step = first_step = int(session.run(sv.global_step))
    if step >= max_steps:
        say(f'{out_dir} is at step {step} of {max_steps} already: ask for more to go on')
        return step
    fetches = step_fetches(batches, model)
    watch.start(sv.summary_writer, first_step)
    with Progress(
        first_step, max_steps, steps_per_epoch, config.batch_size, config.progress_freq
    ) as progress:
        while step < max_steps and not stop.is_set() and not sv.should_stop():

            def should(freq, step=step + 1):
                return freq > 0 and (step % freq == 0 or step == max_steps)

            tracing = should(config.trace_freq)
            metadata = tf.RunMetadata() if tracing else None
            options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE) if tracing else None
            try:
                results = session.run(
                    dict(fetches, **watch.fetches(should)), options=options, run_metadata=metadata
                )
            except (tf.errors.OutOfRangeError, tf.errors.CancelledError):
                if not sv.should_stop():
                    raise
                break  # the readers have ended, over an error raised when the session closes
            step = int(results['global_step'])
            check_finite(step, results['checked'], results['paths'], out_dir)

            progress.show(step, results['checked'])
            if should(config.progress_freq):
                malloc.trim()
                progress.report(step, results['checked'], results['averages'])
            if tracing:
                watch.recorder.add_trace(step, metadata)
            watch.record(session, step, should, results, progress.recent_rate(), stop)

            if should(config.save_freq) or save.is_due() or step == max_steps:
                save(step)

    if first_step < step < max_steps and save.saved_step != step:
        save(step)
    if save.error:
        raise save.error
    if step == max_steps:
        say(f'trained to step {step}, saved in {out_dir}/{checkpoints.BASENAME}-{step}')
    elif stop.is_set():
        saved = f', saved in {out_dir}' if save.saved_step == step else ''
        say(f'stopped at step {step} of {max_steps}{saved}; the same command goes on from there')
    return step


def step_fetches(batches, model):
    """What every step runs and reads: {name: fetch}."""
    return {
        'train': model.train_op,
        'global_step': model.global_step,
        'paths': batches.paths,
        'checked': {name: getattr(model, name) for name in CHECKED},
    }


def check_finite(step, values, paths, out_dir):
    """Raises TrainingError unless all `values` ({field of Model: float}) are finite numbers."""
    bad = [
        f'{CHECKED[name]} is {value}' for name, value in values.items() if not np.isfinite(value)
    ]
    if bad:
        names = ', '.join(os.fsdecode(path) for path in paths)
        raise TrainingError(
            f'step {step}: {", ".join(bad)}, on {names}; nothing was saved after it: look at these '
            f'images, or train again from the last save in {out_dir} with a lower --learning_rate '
            'and --override'
        )
