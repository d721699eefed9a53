"""Where a trained generator is, and the options it was trained with."""

import dataclasses
import glob
import os
import typing

import tensorflow.compat.v1 as tf

from pix2pix_tf import checkpoints, options_file
from pix2pix_tf.config import Config, create
from pix2pix_tf.system import compat
from pix2pix_tf.system.errors import CheckpointError, UsageError

# Pairs per batch of an export. Each is normalized alone; running several keeps all cores busy.
BATCH_SIZE = 8

_MODELS = 'the folder of a training, a checkpoint, or the folder of a SavedModel of `make convert`'
_FOR_OTHERS = ('model.onnx', 'model.tflite')  # what `make convert` writes for other programs


def saved_config(
    out: str, checkpoint: typing.Optional[str] = None, **changes: typing.Any
) -> Config:
    """The options next to `checkpoint` (by default the newest in `out`), to run its generator.

    It has a batch size of its own, reads in order and draws new noise every time. `changes` are
    options that differ from that. Without an options.json, the post's defaults count.

    Raises:
        CheckpointError: there is no checkpoint.
        Pix2PixError: options.json or a value in `changes` cannot be used; the message names it.
    """
    compat.use_graph_mode()
    return config_in(os.path.dirname(find_checkpoint(out, checkpoint)), **changes)


def config_in(folder: str, **changes: typing.Any) -> Config:
    """`saved_config` for a checkpoint in `folder`.

    Raises:
        Pix2PixError: options.json or a value in `changes` cannot be used; the message names it.
    """
    values = dict(dataclasses.asdict(options_file.load(folder) or Config()), batch_size=BATCH_SIZE)
    values.update(deterministic_ops=False, num_threads=None, seed=None)
    values.update(changes)
    values['scale_size'] = values['crop_size']  # nothing is cropped
    return create(**values)


def find_checkpoint(out: str, checkpoint: typing.Optional[str] = None) -> str:
    """The path of `checkpoint`, by default of the newest in `out`.

    Raises:
        CheckpointError: there is none.
        UsageError: as `compat.check_path` does.
    """
    if checkpoint:
        found = checkpoints.resolve(checkpoint)
        compat.check_path(found)
        if not _exists(found):
            raise CheckpointError(
                f'there is no checkpoint {found}: choose another with `checkpoint` (a training '
                'removes old ones, see `keep`)'
            )
        return found
    newest = checkpoints.latest(out)
    if newest is None:
        raise CheckpointError(
            f'no checkpoint in {out}: train first, or choose one with `checkpoint`'
        )
    return newest


def _exists(checkpoint):
    """Whether there is a checkpoint: several files, but TensorFlow takes any one file for one."""
    return tf.train.checkpoint_exists(checkpoint) and not os.path.isfile(checkpoint)


class Source(typing.NamedTuple):
    """Where the variables of a generator are, and the options they were trained with."""

    checkpoint: str
    config: Config
    step: int  # how long it was trained
    folder: str  # of options.json


def saved_model_version(folder: str) -> typing.Optional[str]:
    """`folder`, if it is a SavedModel, or the newest SavedModel in it, as TensorFlow Serving does.

    None if there is none. Versions are folders whose names are numbers.
    """
    versions = glob.glob(os.path.join(glob.escape(folder), '[0-9]*', 'saved_model.pb'))
    names = [os.path.dirname(path) for path in versions]
    numbered = [name for name in names if os.path.basename(name).isdecimal()]
    if os.path.isfile(os.path.join(folder, 'saved_model.pb')):
        return folder
    return max(numbered, key=lambda name: int(os.path.basename(name)), default=None)


def find_model(model: str, **changes: typing.Any) -> Source:
    """The Source in `model`: the folder of a training, a checkpoint, or a SavedModel of ours.

    Raises:
        CheckpointError: there is no such model.
        UsageError: `model` is not a path.
        Pix2PixError: its options.json or a value in `changes` cannot be used.
    """
    compat.use_graph_mode()
    model = os.fspath(model) if isinstance(model, os.PathLike) else model
    if not isinstance(model, str) or not model or '\0' in model:
        raise UsageError(f'`model` is {model!r}: it must be the path of {_MODELS}')
    compat.check_path(model)
    version = saved_model_version(model)
    if version and not os.path.lexists(os.path.join(model, 'checkpoint')):  # it may be newer
        # The variables of a SavedModel are a checkpoint
        checkpoint = os.path.join(version, 'variables', 'variables')
        folder = os.path.dirname(os.path.abspath(version))
        name = os.path.basename(os.path.abspath(version))
        step = int(name) if name.isdecimal() else 0
        return Source(checkpoint, config_in(folder, **changes), step, folder)
    _check_format(model)
    checkpoint = checkpoints.resolve(model)
    if not os.path.isdir(model) and not _exists(checkpoint):
        raise CheckpointError(f'there is no folder and no checkpoint {model}: train one first')
    folder = os.path.dirname(checkpoint)
    step = checkpoints.step_of(checkpoint)
    return Source(checkpoint, config_in(folder, **changes), step, folder)


def _check_format(model):
    """Checks that `model` is not a file of another format, or a folder that only has such files."""
    found = []
    if os.path.isfile(model) and checkpoints.resolve(model) == model:
        found = [model]
    elif os.path.isdir(model) and not os.path.lexists(os.path.join(model, 'checkpoint')):
        paths = [os.path.join(model, name) for name in _FOR_OTHERS]
        found = [path for path in paths if os.path.isfile(path)]
    if not found:
        return
    if os.path.basename(model) == 'saved_model.pb':
        folder = os.path.dirname(model) or '.'
        raise CheckpointError(f'{model} is a part of a SavedModel: choose its folder, {folder}')
    raise CheckpointError(f'{found[0]} cannot be run here: `model` takes {_MODELS}')
