"""The post's section "Evaluating": a trained generator on a folder of pairs.

`test` is the post's function of that name; `export` and `evaluate` call it.
"""

import concurrent.futures
import contextlib
import os
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import tensorflow.compat.v1 as tf
from tqdm import tqdm

from pix2pix_tf import dataset, diagnosis, image_names, images, session
from pix2pix_tf.config import Config, as_written
from pix2pix_tf.evaluation import pages, shard_files
from pix2pix_tf.evaluation.evaluator import Evaluator, Measures
from pix2pix_tf.evaluation.report import (
    EvaluationReport,
    check_replaceable,
    explain,
    format_table,
    save_report,
)
from pix2pix_tf.inference import noise, variables
from pix2pix_tf.inference.generator import random_seed
from pix2pix_tf.inference.trained import Trained, as_path, find
from pix2pix_tf.model import build_generator
from pix2pix_tf.pairs import label_colors
from pix2pix_tf.pairs.find import find_pairs
from pix2pix_tf.pairs.palette import Color
from pix2pix_tf.system import compat, files
from pix2pix_tf.system.console import count, print_line
from pix2pix_tf.system.errors import CheckpointError, DataError, UsageError

Batch = Dict[str, Any]


class ExportResult(NamedTuple):
    """The metrics and the files of an export."""

    report: EvaluationReport
    images_written: int
    image_dir: str
    page: Optional[str]  # path of index.html; None for a shard of an export


def export(
    data: str,
    out: str,
    config: Optional[Config] = None,
    checkpoint: Optional[str] = None,
    skip_bad_files: bool = False,
    measures: Measures = Measures(),
) -> ExportResult:
    """Writes input, output and target of every pair in the folder `data` to `out`/images.

    index.html in `out` shows the PNG files. Their metrics are printed as a table, and go to
    metrics.json and metrics.csv in `out`.

    `checkpoint` is a path or a folder, by default the newest checkpoint in `out`. `config` is by
    default that of its training, with a batch size for this. Without a seed, the dropout noise
    differs every time.

    Raises:
        DataError: the folder or some of its files are unusable (files only if `skip_bad_files` is
            off); the message names them.
        CheckpointError: there is no checkpoint, or it does not fit.
        UsageError: there are fewer pairs than shards, the colors of the labels are unknown, or
            `out` has files of another program that would be replaced.
        Pix2PixError: a file cannot be written, a network is unusable, or there is too
            little memory.
    """
    trained = find_trained(checkpoint or as_path(out), config)
    test_set = find_test_set(data, skip_bad_files, measures, trained.config)
    image_dir = os.path.join(out, 'images')
    pages.check_ours(out, 'out')
    check_replaceable(out)
    images.check_replaceable(test_set.names.values(), out, image_dir)
    report, features, written = test(test_set, trained, measures, image_dir, write_images=True)
    pairs, page = count(len(report.images), 'pair'), None
    wrote = f'wrote {written} images of {pairs} from {report.source["checkpoint"]} to {image_dir}'
    size = images.page_size(trained.config)
    if measures.shard.total > 1:
        equal = _in_common(test_set, trained.config, measures)
        part = shard_files.save(measures.shard, report, features, size, out, equal)
        print_line(f'{wrote}, and {part} for `pix2pix-evaluate --join`')
    else:
        _print_and_save(report, out)
        page = pages.write_gallery(report, out, size)
        print_line(f'{wrote}; open {page}')
    with contextlib.suppress(FileNotFoundError):  # another shard has removed it
        os.remove(os.path.join(image_dir, images.UNFINISHED))
    return ExportResult(report, written, image_dir, page)


def evaluate(
    data: str,
    out: str,
    config: Optional[Config] = None,
    checkpoint: Optional[str] = None,
    skip_bad_files: bool = False,
    measures: Measures = Measures(),
) -> EvaluationReport:
    """Compares outputs and targets of every pair in the folder `data`, without writing images.

    The metrics are printed as a table, and go to metrics.json and metrics.csv in `out`.

    `checkpoint` is a path or a folder, by default the newest checkpoint in `out`. `config` is by
    default that of its training, with a batch size for this. Without a seed, the dropout noise
    differs every time.

    Raises:
        DataError: the folder or some of its files are unusable (files only if `skip_bad_files` is
            off); the message names them.
        CheckpointError: there is no checkpoint, or it does not fit.
        UsageError: there are fewer pairs than shards, the colors of the labels are unknown, or
            `out` has metrics of another program.
        Pix2PixError: a file cannot be written, a network is unusable, or there is too
            little memory.
    """
    trained = find_trained(checkpoint or as_path(out), config)
    test_set = find_test_set(data, skip_bad_files, measures, trained.config)
    check_replaceable(out)
    report, features, _ = test(test_set, trained, measures, out)
    print_line(f'{report.source["checkpoint"]} on {count(len(report.images), "pair")} of {data}')
    if measures.shard.total > 1:
        equal = _in_common(test_set, trained.config, measures)
        part = shard_files.save(measures.shard, report, features, None, out, equal)
        print_line(f'wrote {part} for `pix2pix-evaluate --join`')
    else:
        _print_and_save(report, out)
    return report


def join(out: str) -> EvaluationReport:
    """Joins the shards of an export or evaluation in `out`, and prints the table.

    Raises:
        Pix2PixError: a shard is missing, or they do not belong together.
    """
    report, page = shard_files.join(out)
    _print(report)
    opened = f'; open {page}' if page else ''
    print_line(f'joined {count(len(report.images), "pair")} in {out}{opened}')
    return report


def _print_and_save(report, out):
    _print(report)  # first, so that a full disk cannot lose the table
    save_report(report, out)


def _print(report):
    for line in [format_table(report), *explain(report)]:
        print_line(line)


def _in_common(test_set, config, measures):
    names, options = test_set.names.values(), as_written(config)
    return shard_files.in_common(names, options, measures.network, measures.optional)


class TestSet(NamedTuple):
    """The pairs that a generator is tested on."""

    data: str  # their folder
    paths: List[str]  # of this shard
    names: Dict[str, str]  # {path: name of its images}, of all shards


def find_test_set(
    data: str,
    skip_bad_files: bool = False,
    measures: Measures = Measures(),
    config: Config = Config(),
) -> TestSet:
    """The pairs in the folder `data` that `measures` asks for, for a model with `config`.

    Raises:
        DataError: the folder or some of its files are unusable; the message names them.
        UsageError: there are fewer pairs than shards.
    """
    pairs = find_pairs(data, skip_bad_files, panels=config.panels, bits=config.bits)
    for note in pairs.notes:
        print_line(note)
    if measures.network and config.output_panels > 1:
        raise UsageError(
            f'`features`: FID and KID compare single images, and the model has '
            f'{config.output_panels} output panels'
        )
    if measures.labels and not config.is_rgb_pair:
        raise UsageError('`labels` is for pairs of two RGB images of 8 bits')
    if measures.network and len(pairs.paths) < 2:
        raise DataError(f'FID and KID need at least two pairs, and {data} has only one')
    names = images.output_names(pairs.paths)
    image_names.check_names(names, f'-outputs-{measures.samples}.png')
    paths = measures.shard.take(pairs.paths)
    if not paths:
        raise UsageError(f'`shard`: {data} has only {count(len(pairs.paths), "pair")}')
    return TestSet(data, paths, names)


def find_trained(model: str, config: Optional[Config] = None) -> Trained:
    """The trained generator `model` (see `trained.find`), to be run here.

    `config` is by default that of its training, with a batch size for this.

    Raises:
        CheckpointError: there is no such model.
    """
    compat.use_graph_mode()
    found = find(model)
    trained = found._replace(config=config or found.config)
    session.prepare(trained.config, print_line)
    return trained


def test(
    test_set: TestSet,
    trained: Trained,
    measures: Measures,
    folder: str,
    write_images: bool = False,
) -> Tuple[EvaluationReport, Dict[str, list], int]:
    """The post's `test`: runs a trained generator on a test set, and saves and measures the images.

    Returns the metrics, the features of the images (see `Evaluator`), and the number of images that
    were written to `folder`.
    """
    names = {path: test_set.names[path] for path in test_set.paths}
    colors: List[Color] = []
    if measures.labels:  # those of all pairs, not of a shard
        colors = label_colors.find(measures.labels, list(test_set.names), trained.config.direction)
    written = 0
    run = running(test_set.paths, trained, measures.samples, write_images)
    channels = trained.config.channels
    with Evaluator(names, measures, colors, channels) as evaluator, run as (restored, batches):
        files.prepare_directory(folder)
        if write_images:
            files.write_whole(os.path.join(folder, images.UNFINISHED), b'')
            images.remove_stale_samples(names.values(), measures.samples, folder)
        for batch in batches:
            if write_images:
                written += images.save_images(batch, names, folder)
            evaluator.add(batch)
    source = dict(
        restored._asdict(), data=test_set.data, seed=trained.config.seed, samples=measures.samples
    )
    if not trained.config.dropout:
        source['dropout'] = 0.0  # named only where it is off
    return evaluator.report(source), evaluator.features, written


class Restored(NamedTuple):
    """The checkpoint whose values a session has."""

    checkpoint: str  # path
    step: int


@contextlib.contextmanager
def running(
    paths: List[str], trained: Trained, samples: int = 1, encode: bool = True
) -> Iterator[Tuple[Restored, Iterator[Batch]]]:
    """Yields what was restored, and the batches of the pairs at `paths`, in order.

    A batch has 'paths' (bytes) and, for each of `images.KINDS`, '{kind}_pixels', [batch, height,
    width, channels] uint8 or uint16; with `encode` also '{kind}', the same as PNG files (bytes).
    There are several outputs per input if there are several `samples`. The next batch is computed
    while the caller has one.

    Raises:
        DataError: a file cannot be decoded; the message names it.
        CheckpointError: the checkpoint does not fit.
        Pix2PixError: there is too little memory.
    """
    config = trained.config
    with tf.Graph().as_default():
        tf.set_random_seed(0)  # no op draws by it, but deterministic ops require one
        batches = dataset.load_data(paths, config, training=False)
        fetches = _fetches(batches, config, samples, encode)
        saver = tf.train.Saver()
        supervisor = tf.train.Supervisor(logdir=None, init_op=None, ready_op=None, saver=None)
        explained = diagnosis.explained(paths, '`batch_size` or `crop_size`')
        proto = session.session_config(config)
        with explained, supervisor.managed_session(config=proto) as sess:
            restored = _restore(saver, sess, trained)
            results = _run_ahead(sess, fetches, batches.steps_per_epoch, len(paths))
            with contextlib.closing(results):
                yield restored, results


def _restore(saver, sess, trained):
    """Restores the variables of the default graph; returns which checkpoint they are from."""
    while True:
        try:
            variables.restore(trained, sess, saver)
            return Restored(trained.checkpoint, trained.step)
        except CheckpointError:
            newest = find(trained.model)
            if newest.checkpoint == trained.checkpoint:
                raise
            trained = newest  # a running training has replaced the one that was found


def _fetches(batches, config, samples, encode):
    """The tensors of a batch, by the names that `running` lists."""
    seed = random_seed() if config.seed is None else config.seed
    seeds = noise.image_seeds(batches.inputs, seed, samples)
    outputs = build_generator(noise.repeat(batches.inputs, samples), config, seeds)
    fetches = {'paths': batches.paths}
    for kind, image in (
        ('inputs', batches.inputs),
        ('outputs', outputs),
        ('targets', batches.targets),
    ):
        fetches[kind + '_pixels'] = images.deprocess_image(image, config)
        if encode:
            fetches[kind] = images.encode_pngs(fetches[kind + '_pixels'], config)
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
