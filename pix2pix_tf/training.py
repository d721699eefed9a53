"""The Supervisor-managed train loop (the post's section "Train")."""

import contextlib
import os
import typing

import tensorflow.compat.v1 as tf

from pix2pix_tf import checkpoints, dataset, diagnosis, images, options_file, saving, session
from pix2pix_tf.config import Config, describe_size
from pix2pix_tf.distributed.peers import Cluster
from pix2pix_tf.distributed.replica import Replica
from pix2pix_tf.evaluation import pages
from pix2pix_tf.loop import Loop, Run
from pix2pix_tf.model import build_model
from pix2pix_tf.monitoring.monitor import Monitor
from pix2pix_tf.monitoring.schedule import Schedule
from pix2pix_tf.monitoring.validation import Validation
from pix2pix_tf.pairs import find, leaks
from pix2pix_tf.system import compat, files, locks, signals
from pix2pix_tf.system.console import count, print_line

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
    return train_replica(Job(data, out, config, val_data, skip_bad_files, override))


class Job(typing.NamedTuple):
    """The arguments of `train`."""

    data: str
    out: str
    config: Config = Config()
    val_data: typing.Optional[str] = None
    skip_bad_files: bool = False
    override: bool = False


def train_replica(job: Job, cluster: Cluster = Cluster()) -> TrainingResult:
    """`train` as one of the workers of `cluster`. Only the chief writes to the folder `out`.

    Raises:
        UsageError: the workers were given different options or data.
        Pix2PixError: as in `train`; or a port of this worker cannot be used.
    """
    compat.use_graph_mode()
    pairs = find.find_pairs(job.data, job.skip_bad_files)
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(signals.stopping_on_signals(print_line))
        replica = stack.enter_context(Replica(cluster, stop))
        checkpoint, validation, data = None, None, None
        if cluster.is_chief:
            checkpoint, validation, data = _prepare(job, pairs, stack)
        first_step = replica.join(
            job.config, checkpoints.step_of(checkpoint), len(pairs.paths), print_line
        )
        if first_step is None:
            print_line('stopped before all workers were here')
            return TrainingResult(checkpoints.step_of(checkpoint), checkpoint)
        session.prepare(job.config, print_line)
        with tf.Graph().as_default(), tf.device(replica.device):
            run = _build(pairs.paths, validation, job, replica, first_step)
            try:
                supervisor = _make_supervisor(run, checkpoint)
                proto = replica.session_config(session.session_config(job.config))
                with supervisor.managed_session(replica.target, config=proto) as sess:
                    origin = 'starting from scratch'
                    if first_step:
                        origin = f'resuming from {checkpoint or cluster.name(0)}'
                    device = compat.describe_devices(sess) + replica.describe()
                    number = count(len(pairs.paths), 'pair')
                    print_line(f'{device}; {number} in {job.data}; {origin}')
                    loop = Loop(run, supervisor, sess, data)
                    step = loop.train() if cluster.is_chief else loop.follow()
            except tf.errors.OpError as error:
                replica.wait_for_loss(error)
                diagnosis.raise_explained(error, pairs.paths)
        return TrainingResult(step, checkpoints.latest(job.out))


def _prepare(job, pairs, stack):
    """What the chief does first: checks and locks the folder `out`, and says what is trained on.

    Returns the newest checkpoint, the validation pairs and the Data; the first two may be None.
    """
    validation = _find_validation(job, pairs)
    data = options_file.describe_data(job.data, pairs.paths)
    files.prepare_directory(job.out)
    stack.enter_context(locks.locked(job.out))
    saving.remove_unfinished(job.out)
    checkpoint = checkpoints.latest(job.out)
    if checkpoint and not job.override:
        options_file.check_same(job.out, job.config, data)
    _check_ours(job, checkpoint, validation)
    for line in [_describe(pairs.sizes, job.config), *pairs.notes]:
        print_line(line)
    return checkpoint, validation, data


def _describe(sizes, config):
    """One line about what a training learns from files of these (width, height), and how."""
    learns = {'BtoA': 'left half from the right', 'AtoB': 'right half from the left'}
    other = {'BtoA': 'AtoB', 'AtoB': 'BtoA'}[config.direction]
    return (
        f'direction {config.direction}: learns the {learns[config.direction]} ({other} is the '
        f'reverse); halves of {find.describe_halves(sizes)} are scaled to '
        f'{describe_size(config.scale_size)} and cropped to {describe_size(config.crop_size)}'
    )


def _check_ours(job, checkpoint, validation):
    """Refuses a folder with files of other programs that the training would replace later."""
    if not checkpoint:  # else it has been read
        files.check_ours(os.path.join(job.out, options_file.FILENAME), options_file.MARK, 'out')
    if validation and job.config.display_freq:
        pages.check_ours(job.out, 'out', pages.DEVELOPMENT_FILE)


def _find_validation(job, pairs):
    """The validation pairs to watch, or None. Images that are trained on, too, become a note."""
    config, validation = job.config, None
    if job.val_data and (config.display_freq or config.eval_freq):
        validation = find.find_pairs(
            job.val_data, job.skip_bad_files, 'val_data', config.eval_images
        )
        pairs.notes.extend(note for note in validation.notes if note not in pairs.notes)
        images.check_names(images.output_names(validation.paths), LONGEST_STEP + '.png')
    elif job.val_data:
        find.find_images(job.val_data, 'val_data')  # or a typo would go unnoticed
    if job.val_data:
        pairs.notes.extend(leaks.notes(pairs.paths, job.val_data))
    return validation


def _build(paths, validation, job, replica, first_step):
    """Builds everything into the default graph; returns the Run."""
    config = job.config
    path_queue = replica.path_queue(paths)
    if config.seed is not None:
        # A resumed run must not see the same images in the same order again, nor two workers the
        # same noise
        tf.set_random_seed(config.seed + first_step + replica.seed)
    batches = dataset.load_data(paths, config, path_queue=path_queue)
    loss_scale = session.loss_scale(config)
    model = build_model(batches.inputs, batches.targets, config, replica.average, loss_scale)
    steps_per_epoch = -(-batches.steps_per_epoch // replica.size)
    max_steps = config.max_steps or config.max_epochs * steps_per_epoch
    schedule = Schedule(first_step, max_steps, steps_per_epoch)
    saver = tf.train.Saver(max_to_keep=None)  # `checkpoints` removes old ones
    replica.build()
    monitor = None
    if replica.cluster.is_chief:
        watched = validation and Validation(validation.paths, job.out, config, first_step)
        monitor = Monitor(batches, model, job.out, config, schedule, watched)
    return Run(job.out, config, schedule, batches, model, monitor, saver, replica)


def _make_supervisor(run, checkpoint):
    """The post's Supervisor; its managed session initializes or restores all variables."""

    def restore(sess):
        if checkpoint:
            checkpoints.restore(run.saver, sess, checkpoint, tf.global_variables())
        run.replica.synchronize(sess)

    # With a logdir it would write the graph as text, which takes a tenth of the time to the first
    # step. TensorBoard gets the graph from the summary_writer. Its check that all variables have
    # values, with an op per variable, is not needed: `init_op` and `restore` give values to all.
    return tf.train.Supervisor(
        ready_op=None,
        ready_for_local_init_op=None,
        init_fn=restore,
        saver=None,
        summary_writer=run.monitor and run.monitor.writer,
    )
