"""Which trained generator is meant: its checkpoint, and the options it was trained with."""

import dataclasses
import glob
import os
from typing import Any, NamedTuple, Optional

import tensorflow.compat.v1 as tf

from pix2pix_tf import checkpoints, options_file
from pix2pix_tf.config import Config, create
from pix2pix_tf.system import compat
from pix2pix_tf.system.errors import CheckpointError, UsageError

# Pairs per batch of an export. Each is normalized alone; running several keeps all cores busy.
BATCH_SIZE = 8


class Trained(NamedTuple):
    """A trained generator on disk."""

    model: str  # as it was asked for; a later `find` may find a newer checkpoint there
    checkpoint: str  # path without .index
    config: Config  # to run it: the saved options, with a seed and a batch size for that
    step: int  # how long it was trained; 0 if that is unknown
    folder: str  # of options.json


def find(model: str, **changes: Any) -> Trained:
    """The trained generator in `model`: the folder of a training, a checkpoint, or our SavedModel.

    A checkpoint can be named by its path or by one of its files. In a folder, the newest one is
    taken. The options are those next to the checkpoint, or the defaults of the post, but for
    running: batches of 8, no seed, nothing cropped. `changes` are options that differ from that.

    Raises:
        CheckpointError: there is no such model.
        UsageError: it is not a path that TensorFlow can read, or a value in `changes` is invalid.
        Pix2PixError: its options.json is invalid.
    """
    compat.use_graph_mode()
    try:
        model = os.fsdecode(model)
    except TypeError as error:
        raise UsageError(
            f'`model` is a {type(model).__name__}: it must be the path of a folder or a checkpoint'
        ) from error
    compat.check_path(model)
    version = _saved_model(model)
    if version and not os.path.lexists(os.path.join(model, 'checkpoint')):  # it may be newer
        # The variables of a SavedModel are a checkpoint
        checkpoint = os.path.join(version, 'variables', 'variables')
        folder, name = os.path.split(os.path.abspath(version))
        step = int(name) if name.isdecimal() else 0
        return Trained(model, checkpoint, _config_in(folder, changes), step, folder)
    checkpoint = checkpoints.resolve(model)
    if not os.path.isdir(model) and not tf.train.checkpoint_exists(checkpoint):
        raise CheckpointError(
            f'there is no folder and no checkpoint {model}: train first, or choose another (a '
            'training removes old ones, see `keep`)'
        )
    folder = os.path.dirname(checkpoint)
    config = _config_in(folder, changes)
    try:
        step = checkpoints.step_of(checkpoint)
    except CheckpointError:
        if checkpoints.resolve(model) == checkpoint:
            raise
        return find(model, **changes)  # a running training has just replaced it
    return Trained(model, checkpoint, config, step, folder)


def _saved_model(folder: str) -> Optional[str]:
    """`folder`, if it is a SavedModel, or the newest SavedModel in it, as TensorFlow Serving does.

    None if there is none. Versions are folders whose names are numbers.
    """
    versions = glob.glob(os.path.join(glob.escape(folder), '[0-9]*', 'saved_model.pb'))
    names = [os.path.dirname(path) for path in versions]
    numbered = [name for name in names if os.path.basename(name).isdecimal()]
    if os.path.isfile(os.path.join(folder, 'saved_model.pb')):
        return folder
    return max(numbered, key=lambda name: int(os.path.basename(name)), default=None)


def _config_in(folder, changes):
    """The options for running a checkpoint in `folder`."""
    values = dict(dataclasses.asdict(options_file.load(folder) or Config()), batch_size=BATCH_SIZE)
    values.update(deterministic_ops=False, num_threads=None, seed=None)
    values.update(changes)
    values['scale_size'] = values['crop_size']  # nothing is cropped
    return create(**values)
