"""The Supervisor-managed export loop: the validation set through the generator (section
"Evaluating")."""

import os

import tensorflow.compat.v1 as tf
from tqdm import tqdm

from pix2pix_tf import checkpoints, dataset, faults, files, images, runtime
from pix2pix_tf import config as configs
from pix2pix_tf.config import Config
from pix2pix_tf.errors import CheckpointError
from pix2pix_tf.model import build_generator


def export(data_dir, out_dir, checkpoint=None, skip_bad_files=False, **options):
    """Writes input, output and target of every pair in `data_dir` as PNGs to `out_dir`/images.

    The network's numbers are those of the options.json beside the checkpoint, or the post's where
    there is none; `options` are Config fields to use instead. Without a seed among them, dropout
    differs each time. Returns (files written, their folder).

    Raises:
        DataError: the folder or one of its files can't be used; the message names it.
        CheckpointError: there is no checkpoint, or it does not fit.
        Pix2PixError: the images can't be written, or there is too little memory.
    """
    runtime.use_graph_mode()
    paths = dataset.check_images(dataset.find_images(data_dir), skip_bad_files)
    checkpoint = checkpoint or checkpoints.latest(out_dir)
    if checkpoint is None:
        raise CheckpointError(
            f'no checkpoint in {out_dir}: train first, or name one with --checkpoint'
        )
    config = _network_config(os.path.dirname(checkpoint), options)
    image_dir = os.path.join(out_dir, 'images')
    files.prepare_directory(image_dir)

    with tf.Graph().as_default():
        if config.seed is not None:
            tf.set_random_seed(config.seed)
        batches = dataset.load_data(data_dir, config, training=False, input_paths=paths)
        pictures = {
            'inputs': batches.inputs,
            'outputs': build_generator(batches.inputs, config),
            'targets': batches.targets,
        }
        fetches = {kind: images.encode_pngs(pictures[kind]) for kind in images.KINDS}
        fetches['paths'] = batches.paths
        saver = tf.train.Saver()

        def restore(session):
            checkpoints.restore(saver, session, checkpoint, tf.global_variables())

        sv = tf.train.Supervisor(logdir=None, init_op=None, init_fn=restore, saver=None)
        names = images.output_names(paths)
        written = 0
        try:
            with sv.managed_session() as session, tqdm(total=len(paths), disable=None) as bar:
                for _ in range(batches.steps_per_epoch):
                    results = session.run(fetches)
                    written += images.save_images(results, names, image_dir)
                    bar.update(len(results['paths']))
        except tf.errors.OpError as error:
            raise (faults.explain(error, paths) or error) from error
    print(f'wrote {written} images of {len(paths)} pairs, by {checkpoint}, to {image_dir}')
    return written, image_dir


def _network_config(directory, options):
    """The options saved in `directory`, with what an export does its own way put in their place."""
    saved = configs.load(directory) or Config()
    own = {'seed': None, 'batch_size': 1, 'num_threads': 1}
    own.update(options)
    # Nothing is cropped at random here, so only crop_size counts.
    own['scale_size'] = max(saved.scale_size, own.get('crop_size', saved.crop_size))
    return configs.create(**dict(saved._asdict(), **own))
