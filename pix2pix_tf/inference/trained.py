"""Which trained generator is meant: its checkpoint or ONNX file, and the options of its training.

TensorFlow is imported only to look for a checkpoint.
"""

import dataclasses
import glob
import importlib.util
import os
from typing import Any, Dict, NamedTuple, Optional

from pix2pix_tf import options_file
from pix2pix_tf.config import Config, create
from pix2pix_tf.inference import onnx_file
from pix2pix_tf.system.errors import CheckpointError, UsageError

# Pairs per batch of an export. Each is normalized alone; running several keeps all cores busy.
BATCH_SIZE = 8

SHIPPED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'models')
ONNX = 'model.onnx'  # as `make convert` names it

_MODELS = (
    'the folder of a training, a checkpoint, or the folder of a SavedModel or the ONNX file of '
    '`make convert`'
)
_FOR_OTHERS = ('model.tflite',)  # what `make convert` writes for other programs
# Options that an ONNX file fixes
_IN_THE_NETWORK = ('ngf', 'leak', 'variance_epsilon', 'input_panels', 'output_panels', 'channels')


class Trained(NamedTuple):
    """A trained generator on disk."""

    model: str  # as it was asked for; a later `find` may find a newer checkpoint there
    checkpoint: str  # path without .index; or the path of an ONNX file
    config: Config  # to run it: the saved options, with a seed and a batch size for that
    step: int  # how long it was trained; 0 if that is unknown
    folder: str  # of options.json, or of the ONNX file
    is_onnx: bool = False


def find(model: str, **changes: Any) -> Trained:
    """The trained generator `model`: the folder of a training, a checkpoint, our SavedModel or
    ONNX file, or the name of a generator in this package.

    A checkpoint can be named by its path or by one of its files. In a folder, the newest one is
    taken. The options are those next to the checkpoint, or the defaults of the post, but for
    running: batches of 8, no seed, nothing cropped. `changes` are options that differ from that.

    Raises:
        CheckpointError: there is no such model.
        UsageError: it is not a path that TensorFlow can read, or a value in `changes` is invalid.
        Pix2PixError: its options.json is invalid.
    """
    model = _as_text(model)
    file = _onnx_file(model)
    _check_name(model)
    return _find_onnx(model, file, changes) if file else _find_checkpoint(model, changes)


def _as_text(model):
    model = os.fspath(model) if isinstance(model, os.PathLike) else model
    if not isinstance(model, str) or not model or '\0' in model:
        raise UsageError(f'`model` is {model!r}: it must be the path of {_MODELS}')
    return model


# Generators in this package, and ONNX files


def shipped() -> Dict[str, str]:
    """{name: path} of the ONNX files in this package."""
    paths = glob.glob(os.path.join(glob.escape(SHIPPED), '*.onnx'))
    return {os.path.splitext(os.path.basename(path))[0]: path for path in sorted(paths)}


def is_shipped(model: str) -> bool:
    """Whether `model` is the name of a generator in this package.

    Such a name comes before a folder or file of the same name, which is meant by ./NAME.
    """
    return model in shipped()


def as_path(folder: str) -> str:
    """`folder`, written so that it is not the name of a generator in this package."""
    return os.path.join('.', folder) if is_shipped(folder) else folder


def needs_tensorflow(model: str) -> bool:
    """Whether `pix2pix_tf.load(model)` imports TensorFlow.

    Raises:
        CheckpointError: `model` is a name, but not that of anything.
        UsageError: `model` is not a path.
    """
    _check_name(_as_text(model))
    file = _onnx_file(_as_text(model))
    if file is None or not has_onnxruntime():
        return True
    return onnx_file.read(file).options.get('bits') == 16  # see `generator.open_network`


def has_onnxruntime() -> bool:
    """Whether ONNX files run in onnxruntime here; they run in TensorFlow's graph elsewhere."""
    return importlib.util.find_spec('onnxruntime') is not None


def _onnx_file(model: str) -> Optional[str]:
    """The path of the ONNX file that `model` means; None if it means something else."""
    if is_shipped(model):
        return shipped()[model]
    if os.path.isfile(model) and model.endswith('.onnx'):
        return model
    inside = os.path.join(model, ONNX)
    is_training = os.path.lexists(os.path.join(model, 'checkpoint')) or _saved_model(model)
    return inside if os.path.isfile(inside) and not is_training else None


def _check_name(model):
    """Checks that a name or an ONNX file exists: TensorFlow cannot tell more about it."""
    is_name = os.path.basename(model) == model and not is_shipped(model)
    if (is_name or model.endswith('.onnx')) and not glob.glob(glob.escape(model) + '*'):
        known = ', '.join(shipped()) or 'none'
        raise CheckpointError(
            f'there is no model {model}: it is not here, and the generators of this package are: '
            f'{known}'
        )


def _find_onnx(model, file, changes):
    described = onnx_file.read(file)
    saved = _saved_in(file, described)
    for name in _IN_THE_NETWORK:
        if changes.get(name, getattr(saved, name)) != getattr(saved, name):
            raise UsageError(f'`{name}` cannot be changed: it is a part of {file}')
    if changes.get('dropout') and not described.has_masks:
        raise UsageError(
            f'{file} has no noise, so `dropout` must be 0: convert with `dropout_at_test`=on'
        )
    folder = os.path.dirname(os.path.abspath(file))
    return Trained(model, file, _to_run(saved, changes), described.step, folder, is_onnx=True)


def _saved_in(file, described):
    config = options_file.parse(described.options, f'the options in {file}')
    return config if described.has_masks else dataclasses.replace(config, dropout=0.0)


# Checkpoints


def _find_checkpoint(model, changes):
    import tensorflow.compat.v1 as tf

    from pix2pix_tf import checkpoints
    from pix2pix_tf.system import compat

    compat.use_graph_mode()
    compat.check_path(model)
    version = _saved_model(model)
    if version and not os.path.lexists(os.path.join(model, 'checkpoint')):  # it may be newer
        # The variables of a SavedModel are a checkpoint
        checkpoint = os.path.join(version, 'variables', 'variables')
        folder, name = os.path.split(os.path.abspath(version))
        step = int(name) if name.isdecimal() else 0
        return Trained(model, checkpoint, _config_in(folder, changes), step, folder)
    _check_format(model, checkpoints.resolve)
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


# Options


def saved_options(source: Trained) -> Config:
    """The options of the training of `source`, as they were saved with it.

    Raises:
        Pix2PixError: they are invalid.
    """
    if source.is_onnx:
        return _saved_in(source.checkpoint, onnx_file.read(source.checkpoint))
    return options_file.load(source.folder) or source.config


def saved_data(source: Trained) -> Optional[options_file.Data]:
    """The data of the training, if options.json has it. An ONNX file does not name a folder.

    Raises:
        Pix2PixError: options.json is invalid.
    """
    return None if source.is_onnx else options_file.load_data(source.folder)


def _config_in(folder, changes):
    """The options for running a checkpoint in `folder`."""
    return _to_run(options_file.load(folder) or Config(), changes)


def _to_run(saved, changes):
    """The options for running a model of a training with the options `saved`."""
    values = dict(dataclasses.asdict(saved), batch_size=BATCH_SIZE)
    values.update(deterministic_ops=False, num_threads=None, seed=None)
    values.update(changes)
    values['scale_size'] = values['crop_size']  # nothing is cropped
    return create(**values)


def _check_format(model, resolve):
    """Checks that `model` is not a file of another format, or a folder that only has such files.

    A checkpoint is several files, but TensorFlow takes any single file for one of an old format.
    """
    found = []
    if os.path.isfile(model) and resolve(model) == model:
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
