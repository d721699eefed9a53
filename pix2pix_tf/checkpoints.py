"""Finding and reading checkpoints: `model-N` in a folder, in TensorFlow's format."""

import contextlib
import glob
import os
import re
import typing

import tensorflow.compat.v1 as tf

from pix2pix_tf.system import compat
from pix2pix_tf.system.errors import CheckpointError, Pix2PixError

BASENAME = 'model'
_ENDING = r'\.(index|meta|data-[0-9]+-of-[0-9]+)'


def latest(directory: str) -> typing.Optional[str]:
    """The newest checkpoint of `directory` (its path without `.index`); None without one.

    Raises:
        CheckpointError: the folder names a checkpoint whose files are missing.
        UsageError: as `compat.check_path` does.
    """
    compat.check_path(directory)
    named = named_in(directory)
    if not named:
        return None
    if not tf.train.checkpoint_exists(named[-1]):
        if named_in(directory) != named:  # a running training has replaced it just now
            return latest(directory)
        older = [os.path.basename(path) for path in named if tf.train.checkpoint_exists(path)]
        advice = f'write {older[-1]} in its place' if older else 'delete that file to start over'
        raise CheckpointError(
            f'{directory}/checkpoint names {named[-1]}, which does not exist: restore it, '
            f'or {advice}'
        )
    return named[-1]


def resolve(name: str) -> str:
    """The path of the checkpoint `name`: its path, one of its files, or its folder.

    Raises:
        CheckpointError: `name` is a folder without a checkpoint. Other paths are not checked.
    """
    if os.path.isdir(name):
        checkpoint = latest(name)
        if checkpoint is None:
            raise CheckpointError(
                f'no checkpoint in the folder {name}: train first, or choose another'
            )
        return checkpoint
    return re.sub(_ENDING + '$', '', name)


def named_in(directory: str) -> typing.List[str]:
    """The checkpoints that the state file of `directory` names, the newest last.

    Only the base names are used. In a folder that was moved, absolute paths lead to the old place;
    in a downloaded folder they could lead anywhere, and `saving` removes old checkpoints.
    """
    path = os.path.join(directory, 'checkpoint')
    if not os.path.lexists(path):
        return []
    try:
        state = tf.train.get_checkpoint_state(directory)
    except (tf.errors.OpError, ValueError) as error:
        raise CheckpointError(f'cannot read {path}: {compat.one_line(error)}') from error
    if state is None:  # TensorFlow only warns, and its warnings are hidden
        raise CheckpointError(f'cannot read {path}: repair it, or delete it to start over')
    paths = [p for p in state.all_model_checkpoint_paths if p != state.model_checkpoint_path]
    names = [os.path.basename(path) for path in paths + [state.model_checkpoint_path]]
    for name in names:
        if not re.match(r'\w[\w.-]*$', name):
            raise CheckpointError(
                f'{directory}/checkpoint names {name!r}, which is not a checkpoint of this package'
            )
    return [os.path.join(directory, name) for name in names]


def step_in_name(checkpoint: typing.Optional[str]) -> typing.Optional[int]:
    """The step in the name of a checkpoint, `model-N`; None for another name."""
    match = re.fullmatch(BASENAME + '-([0-9]+)', os.path.basename(checkpoint or ''))
    return int(match.group(1)) if match else None


def unnamed_in(directory: str) -> typing.Dict[int, str]:
    """{N: path} of each `model-N` in `directory` that its state file does not name."""
    named = named_in(directory)
    found = {}
    for name in os.listdir(directory):
        match = re.fullmatch(f'({BASENAME}-(0|[1-9][0-9]*)){_ENDING}', name)
        if match and os.path.isfile(os.path.join(directory, name)):
            path = os.path.join(directory, match.group(1))
            if path not in named:
                found[int(match.group(2))] = path
    return found


def step_of(checkpoint: typing.Optional[str]) -> int:
    """The global step in a checkpoint; 0 for None, and for one without a global step.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    if checkpoint is None:
        return 0
    with readable(checkpoint):
        reader = tf.train.NewCheckpointReader(checkpoint)
        return int(reader.get_tensor('global_step')) if reader.has_tensor('global_step') else 0


def restore(
    saver: tf.train.Saver,
    session: tf.Session,
    checkpoint: str,
    variables: typing.Sequence[tf.Variable],
) -> None:
    """Loads `variables` from `checkpoint` with `saver`.

    Raises:
        CheckpointError: it is missing or damaged, or its variables are not those of this graph.
    """
    with readable(checkpoint):
        saved = tf.train.NewCheckpointReader(checkpoint).get_variable_to_shape_map()
        _check_fit(checkpoint, saved, variables)
        saver.restore(session, checkpoint)


@contextlib.contextmanager
def readable(checkpoint: str) -> typing.Iterator[None]:
    """Turns errors while `checkpoint` is read into Pix2PixErrors, mostly CheckpointErrors."""
    try:
        yield
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError, TypeError) as error:
        # RuntimeError and IndexError are of a reader in 2.x, TypeError of a step that is a vector
        cause = compat.one_line(error)
        if isinstance(error, tf.errors.ResourceExhaustedError):  # the checkpoint is good
            raise Pix2PixError(f'out of memory ({cause}): free some of it') from error
        raise CheckpointError(f'cannot read the checkpoint {checkpoint}: {cause}') from error


def _check_fit(checkpoint, saved, variables):
    for var in variables:
        name, shape = var.op.name, var.get_shape().as_list()
        if name not in saved:
            raise CheckpointError(
                f'{checkpoint} has no variable {name}: it is not a checkpoint of this model'
            )
        if saved[name] != shape:
            raise CheckpointError(
                f'{checkpoint} does not fit: its {name} has the shape {saved[name]}, but this '
                f'model needs {shape}; use the `ngf` and `ndf` it was trained with, or another '
                'folder'
            )


def files_of(checkpoint: str) -> typing.List[str]:
    """The paths of the files of a checkpoint; an archive with a similar name is not one."""
    pattern = re.escape(checkpoint) + _ENDING + r'(\.tempstate[0-9]+)?'
    found = filter(os.path.isfile, glob.glob(glob.escape(checkpoint) + '.*'))
    return [path for path in found if re.fullmatch(pattern, path)]
