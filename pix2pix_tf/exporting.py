"""The Supervisor-managed export loop (the post's section "Evaluating")."""

import concurrent.futures
import contextlib
import os
import typing

import tensorflow.compat.v1 as tf
from tqdm import tqdm

from pix2pix_tf import checkpoints, dataset, diagnosis, images, session
from pix2pix_tf.config import Config, as_written
from pix2pix_tf.evaluation import metrics, pages, parts
from pix2pix_tf.evaluation.evaluator import Evaluator, Measures
from pix2pix_tf.inference import noise
from pix2pix_tf.inference.trained import config_in, find_checkpoint
from pix2pix_tf.model import build_generator
from pix2pix_tf.pairs import find
from pix2pix_tf.system import compat, files
from pix2pix_tf.system.console import count, print_line
from pix2pix_tf.system.errors import CheckpointError, DataError, UsageError

Batch = typing.Dict[str, typing.Any]


class ExportResult(typing.NamedTuple):
    """What `export` returns."""

    report: metrics.Report
    images_written: int
    image_dir: str
    page: typing.Optional[str]  # path of index.html; None for a part of an export


def export(
    data: str,
    out: str,
    config: typing.Optional[Config] = None,
    checkpoint: typing.Optional[str] = None,
    skip_bad_files: bool = False,
    measures: Measures = Measures(),
) -> ExportResult:
    """Writes input, output and target of every pair in the folder `data` to `out`/images.

    The PNG files are shown by index.html in `out`. Everything else is as in `evaluate`.

    Raises:
        UsageError: there is another index.html in `out`.
    """
    job = prepare(data, out, config, checkpoint, skip_bad_files, measures)
    image_dir = os.path.join(out, 'images')
    written = 0
    with Evaluator(job.names, measures) as evaluator, running(job) as batches:
        pages.check_ours(out, 'out')
        files.prepare_directory(image_dir)
        images.remove_stale_samples(job.names.values(), measures.samples, image_dir)
        for batch in batches:
            written += images.save_images(batch, job.names, image_dir)
            evaluator.add(batch)
        report = evaluator.report(job.source)
    pairs = count(len(report.images), 'pair')
    wrote = f'wrote {written} images of {pairs} from {job.source["checkpoint"]}'
    if measures.shard.total > 1:
        page = None
        size = job.config.crop_size
        part = parts.save(measures.shard, report, evaluator.features, size, out, job.equal)
        print_line(f'{wrote} to {image_dir}, and {part} for `pix2pix-evaluate --join`')
    else:
        _save_and_print(report, out)
        page = pages.write_gallery(report, out, job.config.crop_size)
        print_line(f'{wrote} to {image_dir}; open {page}')
    return ExportResult(report, written, image_dir, page)


def evaluate(
    data: str,
    out: str,
    config: typing.Optional[Config] = None,
    checkpoint: typing.Optional[str] = None,
    skip_bad_files: bool = False,
    measures: Measures = Measures(),
) -> metrics.Report:
    """Compares outputs and targets of every pair in the folder `data`, and prints a table.

    The metrics of each image and of all images go to metrics.json and metrics.csv in `out`.
    `checkpoint` is by default the newest in `out`. `config` is by default what `saved_config`
    returns. Without a seed, the dropout noise differs every time.

    Raises:
        DataError: the folder cannot be used, or some of its files cannot and `skip_bad_files` is
            off; the message names them.
        CheckpointError: there is no checkpoint, or it does not fit.
        UsageError: there are fewer pairs than shards.
        Pix2PixError: a file cannot be written, the feature network cannot be used, or there is too
            little memory.
    """
    job = prepare(data, out, config, checkpoint, skip_bad_files, measures)
    with Evaluator(job.names, measures) as evaluator, running(job, encode=False) as batches:
        files.prepare_directory(out)
        for batch in batches:
            evaluator.add(batch)
        report = evaluator.report(job.source)
    print_line(f'{job.source["checkpoint"]} on {count(len(report.images), "pair")} of {data}')
    if measures.shard.total > 1:
        part = parts.save(measures.shard, report, evaluator.features, None, out, job.equal)
        print_line(f'wrote {part} for `pix2pix-evaluate --join`')
    else:
        _save_and_print(report, out)
    return report


def join(out: str) -> metrics.Report:
    """Puts the parts of an export or evaluation in `out` together, and prints the table.

    Raises:
        Pix2PixError: one is missing, or they do not belong together.
    """
    report, page = parts.join(out)
    print_line(metrics.format_table(report))
    opened = f'; open {page}' if page else ''
    print_line(f'joined {count(len(report.images), "pair")} in {out}{opened}')
    return report


def _save_and_print(report, out):
    print_line(metrics.format_table(report))  # first: a full disk shall not cost it
    metrics.save(report, out)


class Job(typing.NamedTuple):
    """One pass of a checkpoint's generator over pairs."""

    paths: typing.List[str]
    names: typing.Dict[str, str]  # {path: name of its images}
    equal: typing.Dict[str, typing.Any]  # what all shards of an export have in common
    out: str
    follow: bool  # whether a newer checkpoint in `out` may replace a checkpoint that is gone
    config: Config
    measures: Measures
    source: typing.Dict[str, typing.Any]  # as in metrics.Report; 'step' is set by `running`


def prepare(
    data: str,
    out: str,
    config: typing.Optional[Config] = None,
    checkpoint: typing.Optional[str] = None,
    skip_bad_files: bool = False,
    measures: Measures = Measures(),
) -> Job:
    """Finds the pairs, the checkpoint and the options of an export; see `evaluate`."""
    compat.use_graph_mode()
    pairs = find.find_pairs(data, skip_bad_files)
    for note in pairs.notes:
        print_line(note)
    if measures.network and len(pairs.paths) < 2:
        raise DataError(f'FID and KID need at least two pairs, and {data} has only one')
    follow = checkpoint is None
    checkpoint = find_checkpoint(out, checkpoint)
    config = config or config_in(os.path.dirname(checkpoint))
    session.prepare(config, print_line)
    source = {
        'checkpoint': checkpoint,
        'step': None,
        'data': data,
        'seed': config.seed,
        'samples': measures.samples,
    }
    names = images.output_names(pairs.paths)
    images.check_names(names, f'-outputs-{measures.samples}.png')
    paths = measures.shard.take(pairs.paths)
    if not paths:
        raise UsageError(f'`shard`: {data} has only {count(len(pairs.paths), "pair")}')
    named = {path: names[path] for path in paths}
    equal = parts.in_common(names.values(), as_written(config), measures.network)
    return Job(paths, named, equal, out, follow, config, measures, source)


@contextlib.contextmanager
def running(job: Job, encode: bool = True) -> typing.Iterator[typing.Iterator[Batch]]:
    """Yields the batches of `job`, in order; the next one is computed while the caller has one.

    A batch has 'paths' (bytes) and, for each of `images.KINDS`, '{kind}_pixels', [batch, height,
    width, 3] uint8; with `encode` also '{kind}', the same as PNG files (bytes). There are several
    outputs per input if there are several samples.

    Raises:
        DataError: a file cannot be decoded; the message names it.
        CheckpointError: the checkpoint does not fit.
        Pix2PixError: there is too little memory.
    """
    with tf.Graph().as_default():
        tf.set_random_seed(0)  # nothing draws by it, but deterministic ops ask for one
        batches = dataset.load_data(job.paths, job.config, training=False)
        fetches = _fetches(batches, job, encode)
        saver = tf.train.Saver()

        def restore(sess):
            checkpoint = job.source['checkpoint']
            try:
                job.source['step'] = checkpoints.step_of(checkpoint)
                checkpoints.restore(saver, sess, checkpoint, tf.global_variables())
            except CheckpointError:
                newest = checkpoints.latest(job.out) if job.follow else checkpoint
                if newest == checkpoint:
                    raise
                # A running training has replaced it meanwhile
                job.source['checkpoint'] = newest
                restore(sess)

        supervisor = tf.train.Supervisor(logdir=None, init_op=None, init_fn=restore, saver=None)
        proto = session.session_config(job.config)
        try:
            with supervisor.managed_session(config=proto) as sess:
                results = _run_ahead(sess, fetches, batches.steps_per_epoch, len(job.paths))
                with contextlib.closing(results):
                    yield results
        except tf.errors.OpError as error:
            diagnosis.raise_explained(error, job.paths, '`batch_size` or `crop_size`')


def _fetches(batches, job, encode):
    """The tensors of a batch, as `running` describes it."""
    config, samples = job.config, job.measures.samples
    seed = noise.random_seed() if config.seed is None else config.seed
    seeds = noise.image_seeds(batches.inputs, seed, samples)
    outputs = build_generator(noise.repeat(batches.inputs, samples), config, seeds)
    fetches = {'paths': batches.paths}
    for kind, image in (
        ('inputs', batches.inputs),
        ('outputs', outputs),
        ('targets', batches.targets),
    ):
        fetches[kind + '_pixels'] = images.deprocess_image(image)
        if encode:
            fetches[kind] = images.encode_pngs(fetches[kind + '_pixels'])
    return fetches


def _run_ahead(sess, fetches, steps, total):
    """Yields the results of `steps` runs, one run ahead of the caller; shows a progress bar."""
    with concurrent.futures.ThreadPoolExecutor(1) as worker, tqdm(total=total, disable=None) as bar:
        computed = worker.submit(sess.run, fetches)
        for remaining in reversed(range(steps)):
            results = computed.result()
            if remaining:
                computed = worker.submit(sess.run, fetches)
            yield results
            bar.update(len(results['paths']))
