"""The Supervisor-managed export loop: the validation set through the generator (section
"Evaluating"), and how near its outputs are to the targets."""

import concurrent.futures
import contextlib
import os
import random

import numpy as np
import tensorflow.compat.v1 as tf
from tqdm import tqdm

from pix2pix_tf import checkpoints, dataset, diagnosis, images
from pix2pix_tf.evaluation import features, metrics, pages
from pix2pix_tf.system import files, gpu, runtime
from pix2pix_tf import config as configs
from pix2pix_tf.config import Config
from pix2pix_tf.system.errors import CheckpointError, DataError
from pix2pix_tf.model import build_generator

# Images in a run: each is a batch of its own, but while one waits for another's widest layers, the
# cores have its narrow ones to do.
BATCH_SIZE = 8


def export(data_dir, out_dir, checkpoint=None, **options):
    """Writes input, output and target of every pair in `data_dir` as PNGs to `out_dir`/images.

    index.html in `out_dir` shows them; the rest is as in `evaluate`. Returns (files written,
    their folder). Raises what `evaluate` raises.
    """
    image_dir = os.path.join(out_dir, 'images')
    written = 0

    def keep(results, names):
        nonlocal written
        if not written:
            files.prepare_directory(image_dir)
        written += images.save_images(results, names, image_dir)

    report, config = _judge(data_dir, out_dir, checkpoint, keep, **options)
    page = pages.write(report, out_dir, config.crop_size)
    _conclude(report, out_dir)
    print(
        f'wrote {written} images of {len(report.pictures)} pairs, by '
        f'{report.source["checkpoint"]}, to {image_dir}; look at {page}'
    )
    return written, image_dir


def evaluate(data_dir, out_dir, checkpoint=None, **options):
    """Compares outputs with targets for every pair in `data_dir`, and prints a table.

    The figures of each picture and of all go to metrics.json and metrics.csv in `out_dir`.
    Returns them as a `metrics.Report`. `checkpoint` is the newest of `out_dir` by default.

    Options:
        skip_bad_files: leave out files that are no pairs, instead of raising DataError.
        samples: outputs for each input, which differ by the dropout noise; from 2 on their
            diversity is reported. The other figures are those of the first.
        network: the fields of a `features.Network`, over whose features FID and KID are taken.
        Fields of Config in place of those of the options.json beside the checkpoint, or of the
            post's numbers where there is none. Without a seed, dropout differs each time.

    Raises:
        DataError: the folder or one of its files can't be used; the message names it.
        CheckpointError: there is no checkpoint, or it does not fit.
        Pix2PixError: the images can't be written, the network of features can't be used, or there
            is too little memory.
    """
    report, _ = _judge(data_dir, out_dir, checkpoint, lambda *_: None, **options)
    files.prepare_directory(out_dir)
    print(f'{report.source["checkpoint"]} on {len(report.pictures)} pairs of {data_dir}')
    _conclude(report, out_dir)
    return report


def _conclude(report, out_dir):
    metrics.save(report, out_dir)
    print(metrics.format_table(report))


def _judge(
    data_dir, out_dir, checkpoint, each, skip_bad_files=False, samples=1, network=None, **options
):
    """(Report, Config), after `each(results, names)` has been called for every batch."""
    runtime.use_graph_mode()
    paths = dataset.check_images(dataset.find_images(data_dir), skip_bad_files)
    if network and len(paths) < 2:
        raise DataError(f'FID and KID need two pairs at least, and {data_dir} holds one')
    checkpoint = checkpoint or checkpoints.latest(out_dir)
    if checkpoint is None:
        raise CheckpointError(
            f'no checkpoint in {out_dir}: train first, or name one with --checkpoint'
        )
    config = _network_config(os.path.dirname(checkpoint), options)
    gpu.check(config, print)
    names = images.output_names(paths)
    pictures, extracted = [], {'outputs': [], 'targets': []}
    with contextlib.ExitStack() as stack:
        extract = network and stack.enter_context(features.opened(features.Network(*network)))
        for results in run(data_dir, paths, checkpoint, config, samples):
            each(results, names)
            pixels = {kind: results[kind + '_pixels'] for kind in images.KINDS}
            outputs = pixels['outputs'].reshape((-1, samples) + pixels['outputs'].shape[1:])
            for path, of_picture, target in zip(results['paths'], outputs, pixels['targets']):
                figures = metrics.compare(of_picture[0], target)
                if samples > 1:
                    figures[metrics.DIVERSITY] = metrics.diversity(of_picture)
                pictures.append(dict({'name': names[os.fsdecode(path)]}, **figures))
            if extract:
                extracted['outputs'].append(extract(outputs[:, 0]))
                extracted['targets'].append(extract(pixels['targets']))
    distances = {}
    if network:
        sets = [np.concatenate(extracted[kind]) for kind in ('outputs', 'targets')]
        distances = {
            'FID': metrics.frechet_distance(*sets),
            'KID': metrics.kernel_distance(*sets),
        }
    source = {
        'checkpoint': checkpoint,
        'step': checkpoints.step_of(checkpoint),
        'data': data_dir,
        'seed': config.seed,
        'samples': samples,
    }
    return metrics.report(source, pictures, distances), config


def run(data_dir, paths, checkpoint, config, samples=1):
    """The pairs at `paths` through the generator of `checkpoint`.

    Yields, for every batch: 'paths' (bytes), and for each of `images.KINDS` the PNG files and, as
    `{kind}_pixels`, [batch, height, width, 3] uint8; of the outputs `samples` for each input.
    While the caller is busy with one batch, the next is computed.

    Raises:
        DataError: a file can't be decoded; the message names it.
        CheckpointError: the checkpoint does not fit.
        Pix2PixError: there is too little memory.
    """
    seed = random.SystemRandom().randrange(2**31) if config.seed is None else config.seed
    with tf.Graph().as_default():
        batches = dataset.load_data(data_dir, config, training=False, input_paths=paths)
        seeds = dataset.image_seeds(batches.paths, seed, samples)
        outputs = build_generator(dataset.repeat(batches.inputs, samples), config, seeds)
        pictures = {'inputs': batches.inputs, 'outputs': outputs, 'targets': batches.targets}
        fetches = {'paths': batches.paths}
        for kind, picture in pictures.items():
            fetches[kind + '_pixels'] = images.deprocess_image(picture)
            fetches[kind] = images.encode_pngs(fetches[kind + '_pixels'])
        saver = tf.train.Saver()

        def restore(session):
            checkpoints.restore(saver, session, checkpoint, tf.global_variables())

        sv = tf.train.Supervisor(logdir=None, init_op=None, init_fn=restore, saver=None)
        try:
            with contextlib.ExitStack() as stack:
                session = stack.enter_context(sv.managed_session(config=gpu.session_config(config)))
                bar = stack.enter_context(tqdm(total=len(paths), disable=None))
                worker = stack.enter_context(concurrent.futures.ThreadPoolExecutor(1))
                computed = worker.submit(session.run, fetches)
                for remaining in reversed(range(batches.steps_per_epoch)):
                    results = computed.result()
                    if remaining:
                        computed = worker.submit(session.run, fetches)
                    yield results
                    bar.update(len(results['paths']))
        except tf.errors.OpError as error:
            raise (diagnosis.explain(error, paths) or error) from error


def _network_config(directory, options):
    """The options saved in `directory`, with what an export does its own way put in their place."""
    saved = configs.load(directory) or Config()
    own = {'batch_size': BATCH_SIZE, 'num_threads': None, 'seed': None, 'deterministic_ops': False}
    own.update(options)
    # Nothing is cropped at random here, so only crop_size counts.
    own['scale_size'] = max(saved.scale_size, own.get('crop_size', saved.crop_size))
    return configs.create(**dict(saved._asdict(), **own))
