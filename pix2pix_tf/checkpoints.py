"""Checkpoints: `model-N` in the output folder, in TensorFlow's format, with the post's names."""

import contextlib
import glob
import os
import re
import time
import typing

import tensorflow.compat.v1 as tf

from pix2pix_tf import config as configs
from pix2pix_tf.config import Config
from pix2pix_tf.system import runtime
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import CheckpointError, Pix2PixError

BASENAME = 'model'


def latest(directory: str) -> typing.Optional[str]:
    """The newest checkpoint of `directory` (its path without `.index`); None without one.

    Raises:
        CheckpointError: the folder names a checkpoint whose files are missing.
    """
    named = _named(directory)
    if not named:
        return None
    if not tf.train.checkpoint_exists(named[-1]):
        raise CheckpointError(
            f'{directory}/checkpoint names {named[-1]}, which does not exist: restore it, or '
            f'delete {directory}/checkpoint to start over'
        )
    return named[-1]


def _named(directory):
    """The checkpoints that the state file of `directory` names, the newest last.

    Only names inside `directory` count. In a folder that was moved, absolute paths lead to where it
    was; in a stranger's folder they could lead anywhere, and Saver deletes old checkpoints.
    """
    try:
        state = tf.train.get_checkpoint_state(directory)
    except (tf.errors.OpError, ValueError) as error:
        raise CheckpointError(
            f'cannot read {directory}/checkpoint: {runtime.one_line(error)}'
        ) from error
    if state is None or not state.model_checkpoint_path:
        return []
    paths = [p for p in state.all_model_checkpoint_paths if p != state.model_checkpoint_path]
    names = [os.path.basename(path) for path in paths + [state.model_checkpoint_path]]
    for name in names:
        if not re.match(r'\w[\w.-]*$', name):
            raise CheckpointError(
                f'{directory}/checkpoint names {name!r}, which is not a checkpoint of this package'
            )
    return [os.path.join(directory, name) for name in names]


def step_of(checkpoint: typing.Optional[str]) -> int:
    """The global step in a checkpoint; 0 for None, and for one without a global step.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    if checkpoint is None:
        return 0
    with _readable(checkpoint):
        reader = tf.train.NewCheckpointReader(checkpoint)
        return int(reader.get_tensor('global_step')) if reader.has_tensor('global_step') else 0


def make_saver(directory: str, keep: int = 1) -> tf.train.Saver:
    """A Saver of all variables that knows the checkpoints already in `directory`.

    Raises:
        CheckpointError: the folder's state file cannot be used.
    """
    saver = tf.train.Saver(max_to_keep=keep, save_relative_paths=True)
    saver.recover_last_checkpoints(_named(directory))
    return saver


def remove_unfinished(directory: str) -> None:
    """Removes what a process that was killed during a save has left in `directory`."""
    for path in glob.glob(os.path.join(glob.escape(directory), BASENAME + '-*.tempstate*')):
        os.remove(path)


def save(saver: tf.train.Saver, session: tf.Session, directory: str, step: int) -> str:
    """Saves `model-{step}` in `directory` and returns its path; then the oldest one is deleted.

    Raises:
        CheckpointError: it cannot be written. Older checkpoints are unchanged.
    """
    prefix = os.path.join(directory, BASENAME)
    try:
        return saver.save(session, prefix, global_step=step, write_meta_graph=False)
    except (tf.errors.OpError, OSError, ValueError) as error:  # ValueError: a missing folder
        _remove_files(f'{prefix}-{step}')
        raise CheckpointError(f'cannot save {prefix}-{step}: {runtime.one_line(error)}') from error


class Saves:
    """The saves of a run. A failed one leaves older checkpoints unchanged and the run going."""

    def __init__(
        self, saver: tf.train.Saver, session: tf.Session, out: str, config: Config
    ) -> None:
        self.saver, self.session, self.out, self.config = saver, session, out, config
        self.last_time = time.time()
        self.saved_step: typing.Optional[int] = None  # of the last successful save of this process
        self.error: typing.Optional[Pix2PixError] = None  # of the last save, if it failed

    def is_due_by_time(self) -> bool:
        """Whether `save_secs` seconds have passed since the last save."""
        save_secs = self.config.save_secs
        return save_secs > 0 and time.time() - self.last_time >= save_secs

    def save(self, step: int) -> None:
        """Saves the variables and, the first time, the options."""
        print_line('saving model')
        self.last_time = time.time()
        try:
            # Not at the start: a run that fails before its first save leaves the options of the
            # checkpoint that it resumed from.
            if self.saved_step is None:
                configs.save(self.config, self.out)
            save(self.saver, self.session, self.out, step)
        except Pix2PixError as error:
            self.error = error
            print_line(f'{error}; earlier checkpoints are kept, and the next save tries again')
        else:
            self.error, self.saved_step = None, step


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
    with _readable(checkpoint):
        saved = tf.train.NewCheckpointReader(checkpoint).get_variable_to_shape_map()
        _check_fit(checkpoint, saved, variables)
        saver.restore(session, checkpoint)


@contextlib.contextmanager
def _readable(checkpoint):
    """Turns an error while `checkpoint` is read into a CheckpointError."""
    try:
        yield
    except (tf.errors.OpError, ValueError, RuntimeError) as error:  # RuntimeError: a reader's, 2.x
        raise CheckpointError(
            f'cannot read the checkpoint {checkpoint}: {runtime.one_line(error)}'
        ) from error


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


def _remove_files(prefix):
    """Removes what an interrupted save of `prefix` has left."""
    for path in glob.glob(glob.escape(prefix) + '.*'):
        if os.path.isfile(path):
            os.remove(path)
