"""Checkpoints: `model-N` in the output folder, in TensorFlow's format, with the post's names."""

import glob
import os
import re

import tensorflow.compat.v1 as tf

from pix2pix_tf.system import runtime
from pix2pix_tf.system.errors import CheckpointError

BASENAME = 'model'


def latest(directory):
    """The newest checkpoint (its path without `.index`) that `directory` names; None without one.

    Raises:
        CheckpointError: the folder names one whose files are not there.
    """
    named = _named(directory)
    if not named:
        return None
    if not tf.train.checkpoint_exists(named[-1]):
        raise CheckpointError(
            f'{directory}/checkpoint names {named[-1]}, which is not there: put it back, or '
            'remove the former to start anew'
        )
    return named[-1]


def _named(directory):
    """The checkpoints that the state file of `directory` names, the newest last.

    Only names in `directory` itself: in a folder that was moved, absolute paths lead to where it
    was, and in a stranger's anywhere. Saver deletes what is named when it grows too old.
    """
    try:
        state = tf.train.get_checkpoint_state(directory)
    except (tf.errors.OpError, ValueError) as error:
        raise CheckpointError(
            f'can not read {directory}/checkpoint: {runtime.reason(error)}'
        ) from error
    if state is None or not state.model_checkpoint_path:
        return []
    paths = [p for p in state.all_model_checkpoint_paths if p != state.model_checkpoint_path]
    names = [os.path.basename(path) for path in paths + [state.model_checkpoint_path]]
    for name in names:
        if not re.match(r'\w[\w.-]*$', name):
            raise CheckpointError(f'{directory}/checkpoint names {name!r}: no checkpoint of ours')
    return [os.path.join(directory, name) for name in names]


def step_of(checkpoint):
    """The step in the name of a checkpoint; 0 for None or a name without one."""
    match = re.search('-([0-9]+)$', checkpoint or '')
    return int(match.group(1)) if match else 0


def make_saver(directory, keep=1):
    """A Saver of all variables, which knows the checkpoints that `directory` already holds."""
    saver = tf.train.Saver(max_to_keep=keep, save_relative_paths=True)
    saver.recover_last_checkpoints(_named(directory))
    return saver


def remove_debris(directory):
    """Removes what a process that was killed in the middle of a save has left in `directory`."""
    for path in glob.glob(os.path.join(glob.escape(directory), BASENAME + '-*.tempstate*')):
        os.remove(path)


def save(saver, session, directory, step):
    """Saves `model-{step}` in `directory`; what was saved before goes only once this is whole.

    Raises:
        CheckpointError: it can't be written. Older checkpoints are as they were.
    """
    prefix = os.path.join(directory, BASENAME)
    try:
        return saver.save(session, prefix, global_step=step, write_meta_graph=False)
    except (tf.errors.OpError, OSError, ValueError) as error:  # ValueError: of the folder
        _remove_files(f'{prefix}-{step}')
        raise CheckpointError(f'can not save {prefix}-{step}: {runtime.reason(error)}') from error


def restore(saver, session, checkpoint, variables):
    """Loads `variables` from `checkpoint` by way of `saver`.

    Raises:
        CheckpointError: it is missing or damaged, or its variables are not those of this graph.
    """
    try:
        saved = tf.train.NewCheckpointReader(checkpoint).get_variable_to_shape_map()
        _check_fit(checkpoint, saved, variables)
        saver.restore(session, checkpoint)
    except (tf.errors.OpError, ValueError) as error:
        raise CheckpointError(
            f'can not read the checkpoint {checkpoint}: {runtime.reason(error)}'
        ) from error


def _check_fit(checkpoint, saved, variables):
    for var in variables:
        name, shape = var.op.name, var.get_shape().as_list()
        if name not in saved:
            raise CheckpointError(
                f'{checkpoint} holds no {name}: it is not a checkpoint of this model'
            )
        if saved[name] != shape:
            raise CheckpointError(
                f'{checkpoint} does not fit: its {name} has the shape {saved[name]}, this model '
                f'{shape}; give the --ngf and --ndf that it was trained with, or another folder'
            )


def _remove_files(prefix):
    """Removes what a save that broke off has left of `prefix`."""
    for path in glob.glob(glob.escape(prefix) + '.*'):
        if os.path.isfile(path):
            os.remove(path)
