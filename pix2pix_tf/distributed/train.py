"""`training.train` on several processes, built from the functions of training.py.

Each process, a worker, computes a replica of the graph on its part of the pairs. Worker 0, the
chief, also does what `training.train` does around its steps: it reports, evaluates and saves.
"""

import contextlib
from typing import Optional

import tensorflow.compat.v1 as tf

from pix2pix_tf import checkpoints, dataset, diagnosis, options_file, saving, session, training
from pix2pix_tf.config import Config
from pix2pix_tf.distributed.peers import Cluster
from pix2pix_tf.distributed.replica import Replica
from pix2pix_tf.evaluation import image_metrics
from pix2pix_tf.evaluation.image_metrics import OptionalMetrics
from pix2pix_tf.model import build_model, learning_rate_schedule
from pix2pix_tf.monitoring import best_checkpoint
from pix2pix_tf.monitoring.monitor import Monitor
from pix2pix_tf.monitoring.progress import Progress, is_due
from pix2pix_tf.monitoring.validation import Validation
from pix2pix_tf.pairs import find
from pix2pix_tf.system import compat, machine, signals
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import TrainingError
from pix2pix_tf.training import TrainingResult


def train(  # noqa: PLR0913 - the arguments of training.train, and the cluster
    cluster: Cluster,
    data: str,
    out: str,
    config: Config = Config(),
    val_data: Optional[str] = None,
    skip_bad_files: bool = False,
    override: bool = False,
    optional: OptionalMetrics = OptionalMetrics(),
) -> TrainingResult:
    """`training.train` as one of the workers of `cluster`. Only the chief writes to `out`.

    Raises:
        UsageError: the workers were given different options or data.
        Pix2PixError: as in `training.train`; or a port of this worker cannot be used.
    """
    compat.use_graph_mode()
    pairs = find.find_pairs(data, skip_bad_files, panels=config.panels, bits=config.bits)
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(signals.stopping_on_signals(print_line))
        replica = stack.enter_context(Replica(cluster, stop))
        checkpoint = watched = described = lock = best = None
        if cluster.is_chief:
            best_checkpoint.check_possible(config, val_data, optional)
            watched = training.find_watched(val_data, config, skip_bad_files)
            compare = stack.enter_context(image_metrics.opened(optional, config.channels))
            described = options_file.describe_data(data, pairs.paths)
            lock = stack.enter_context(training.output_folder(out))
            checkpoint = training.find_resumed(out, config, None if override else described)
            training.check_files(out, config, checkpoint, watched)
            best = best_checkpoint.find(out, config, watched)
            print_line(training.describe(pairs.sizes, config))
            for note in training.notes_on(pairs, watched, val_data):
                print_line(note)
        saved_step = checkpoints.step_of(checkpoint)
        first_step = replica.join(config, saved_step, len(pairs.paths), print_line)
        if first_step is None:
            print_line('stopped before all workers had joined')
            return TrainingResult(saved_step, checkpoint)
        session.prepare(config, print_line)
        with tf.Graph().as_default(), tf.device(replica.device):
            if config.seed is not None:
                # Neither a resumed run nor two workers may see the same noise
                tf.set_random_seed(config.seed + first_step + replica.seed)
            path_queue = replica.path_queue(pairs.paths)
            batches = dataset.load_data(pairs.paths, config, path_queue=path_queue)
            steps_per_epoch = -(-batches.steps_per_epoch // replica.size)
            max_steps = config.max_steps or config.max_epochs * steps_per_epoch
            steps = range(first_step, max_steps)
            model = build_model(
                batches.inputs,
                batches.targets,
                config,
                replica.average,
                session.loss_scale(config),
                learning_rate_schedule(config, max_steps),
            )

            saver = tf.train.Saver(max_to_keep=None)
            replica.build()
            monitor = None
            if cluster.is_chief:
                validation = watched and Validation(watched.paths, out, config, first_step, compare)
                monitor = Monitor(batches, model, out, config, steps, validation)

            def restore(sess):
                if checkpoint:
                    checkpoints.restore(saver, sess, checkpoint, tf.global_variables())
                replica.synchronize(sess)

            writer = monitor.writer if monitor else None
            sv = training.make_supervisor(restore, writer)
            proto = replica.session_config(session.session_config(config))
            fetches = dict(training.step_fetches(batches, model), **replica.fetches())
            step = first_step
            try:
                with sv.managed_session(replica.target, config=proto) as sess:
                    origin = 'starting from scratch'
                    if first_step:
                        origin = f'resuming from {checkpoint or cluster.name(0)}'
                    run = training.describe_run(sess, pairs, data, replica.describe())
                    print_line(f'{run}; {origin}')
                    if not monitor:
                        step = _follow(sess, sv, replica, fetches, steps, out)
                    elif not training.is_reached(out, step, max_steps):
                        saves = saving.Saves(saver, sess, out, config, described, lock)
                        monitor.begin()
                        with Progress(steps, steps_per_epoch, config, replica.size) as progress:
                            while step < max_steps and not _should_stop(replica, sv):
                                try:
                                    results = monitor.run_step(sess, fetches, step + 1)
                                except (tf.errors.OutOfRangeError, tf.errors.CancelledError):
                                    if not sv.should_stop():
                                        raise
                                    break
                                step = _finish_step(results, replica, out)
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
                        training.conclude(saves, steps, step, stop)
            except tf.errors.OpError as error:
                replica.wait_for_loss(error)
                diagnosis.raise_explained(error, pairs.paths)
        return TrainingResult(step, checkpoints.latest(out))


def _follow(sess, sv, replica, fetches, steps, out):
    """The steps of a worker that is not the chief: it only computes. Returns the last one."""
    step = steps.start
    while step < steps.stop and not _should_stop(replica, sv):
        step = _finish_step(sess.run(fetches), replica, out)
    print_line(f'trained to step {step} as {replica.name}')
    return step


def _should_stop(replica, sv):
    return replica.should_stop() or sv.should_stop()


def _finish_step(results, replica, out):
    """Checks the results of a step, and whether a worker asked to stop; returns the step."""
    step = int(results['global_step'])
    try:
        training.check_finite(step, results, out)
    except TrainingError:
        replica.wait_for_culprit(results['checked'])
        raise
    replica.note(results)
    if step % training.TRIM_FREQ == 0:
        machine.trim()
    return step
