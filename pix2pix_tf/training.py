"""The Supervisor-managed train loop (section "Train")."""

import math
import time

import tensorflow.compat.v1 as tf

from pix2pix_tf import checkpoints, dataset, faults, files, runtime
from pix2pix_tf import config as configs
from pix2pix_tf.config import Config
from pix2pix_tf.model import build_model

# What a progress report calls the losses, and which fields of Model they are
REPORTED = {
    'discrim_loss': 'discrim_loss',
    'gen_loss_GAN': 'gen_loss_gan',
    'gen_loss_L1': 'gen_loss_l1',
}


def train(data_dir, out_dir, config=Config()):
    """Trains on the side-by-side pairs in `data_dir`; checkpoints and options go to `out_dir`.

    Goes on from the newest checkpoint in `out_dir` where there is one. Returns the global step
    that was reached. Prints the post's progress lines to standard output.

    Raises:
        DataError: the folder or one of its files can't be used; the message names it.
        CheckpointError: what is in `out_dir` does not fit, or a save failed.
        Pix2PixError: `out_dir` can't be written, or there is too little memory.
    """
    runtime.use_graph_mode()
    paths = dataset.find_images(data_dir)
    dataset.check_images(paths)
    files.prepare_directory(out_dir)
    checkpoint = checkpoints.latest(out_dir)

    with tf.Graph().as_default():
        if config.seed is not None:
            # Resumed, a run must not be shown again what it saw from its first step on.
            tf.set_random_seed(config.seed + checkpoints.step_of(checkpoint))
        batches = dataset.load_data(data_dir, config)
        model = build_model(batches.inputs, batches.targets, config)
        saver = checkpoints.make_saver(out_dir)

        def restore(session):
            if checkpoint:
                checkpoints.restore(saver, session, checkpoint, tf.global_variables())

        sv = tf.train.Supervisor(logdir=out_dir, init_fn=restore, save_summaries_secs=0, saver=None)
        try:
            with sv.managed_session() as session:
                configs.save(config, out_dir)
                origin = f'resuming from {checkpoint}' if checkpoint else 'starting anew'
                device = runtime.describe_devices(session)
                print(f'{device}; {len(paths)} pairs in {data_dir}; {origin}', flush=True)
                return _run_steps(
                    session, sv, saver, model, batches.steps_per_epoch, out_dir, config
                )
        except tf.errors.OpError as error:
            raise (faults.explain(error, paths) or error) from error


def _run_steps(session, sv, saver, model, steps_per_epoch, out_dir, config):
    max_steps = config.max_steps or config.max_epochs * steps_per_epoch
    step = int(session.run(sv.global_step))
    if step >= max_steps:
        print(f'{out_dir} is at step {step} of {max_steps} already: ask for more to go on')
    losses = {
        label: (getattr(model, name), getattr(model, name + '_average'))
        for label, name in REPORTED.items()
    }
    start, first_step = time.time(), step
    while step < max_steps and not sv.should_stop():

        def should(freq, step=step + 1):
            return freq > 0 and (step % freq == 0 or step == max_steps)

        fetches = {'train': model.train_op, 'global_step': model.global_step}
        if should(config.progress_freq):
            fetches['losses'] = losses
        results = session.run(fetches)
        step = int(results['global_step'])

        if 'losses' in results:
            rate = (step - first_step) * config.batch_size / (time.time() - start)
            print(format_progress(step, steps_per_epoch, max_steps, rate, config.batch_size))
            for name, (loss, average) in results['losses'].items():
                print(f'{name} {loss!s}  average {average!s}', flush=True)

        if should(config.save_freq) or step == max_steps:
            print('saving model', flush=True)
            path = checkpoints.save(saver, session, out_dir, step)
            if step == max_steps:
                print(f'trained to step {step}, saved in {path}', flush=True)
    return step


def format_progress(step, steps_per_epoch, max_steps, rate, batch_size):
    """The post's progress line after global step `step`, at `rate` images a second."""
    remaining = (max_steps - step) * batch_size / rate
    epoch = math.ceil(step / steps_per_epoch)
    epoch_step = (step - 1) % steps_per_epoch + 1
    return (
        f'progress  epoch {epoch}  step {epoch_step}  image/sec {rate:0.1f}  '
        f'remaining {int(remaining / 60)}m'
    )
