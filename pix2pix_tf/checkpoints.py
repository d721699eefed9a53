"""Checkpoints: `model-N` in the output folder, in TensorFlow's format, with the post's names."""

import contextlib
import glob
import os
import re
import time
import typing

import tensorflow.compat.v1 as tf

from pix2pix_tf import options
from pix2pix_tf.config import Config
from pix2pix_tf.system import files, runtime
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import CheckpointError, Pix2PixError

BASENAME = 'model'
_ENDING = r'\.(index|meta|data-[0-9]+-of-[0-9]+)'


def latest(directory: str) -> typing.Optional[str]:
    """The newest checkpoint of `directory` (its path without `.index`); None without one.

    Raises:
        CheckpointError: the folder names a checkpoint whose files are missing.
        UsageError: as `runtime.check_path` does.
    """
    runtime.check_path(directory)
    named = _named(directory)
    if not named:
        return None
    if not tf.train.checkpoint_exists(named[-1]):
        if _named(directory) != named:  # a running training has replaced it just now
            return latest(directory)
        older = [os.path.basename(path) for path in named if tf.train.checkpoint_exists(path)]
        advice = f'write {older[-1]} in its place' if older else 'delete that file to start over'
        raise CheckpointError(
            f'{directory}/checkpoint names {named[-1]}, which does not exist: restore it, '
            f'or {advice}'
        )
    return named[-1]


def resolve(name: str) -> str:
    """The checkpoint that people mean by `name`: its path, one of its files, or its folder.

    Raises:
        CheckpointError: `name` is a folder without a checkpoint. Other paths are not checked.
    """
    if os.path.isdir(name):
        checkpoint = latest(name)
        if checkpoint is None:
            raise CheckpointError(f'no checkpoint in the folder {name}')
        return checkpoint
    return re.sub(_ENDING + '$', '', name)


def _named(directory):
    """The checkpoints that the state file of `directory` names, the newest last.

    Only names inside `directory` count. In a folder that was moved, absolute paths lead to where it
    was; in a stranger's folder they could lead anywhere, and Saver deletes old checkpoints.
    """
    path = os.path.join(directory, 'checkpoint')
    if not os.path.lexists(path):
        return []
    try:
        state = tf.train.get_checkpoint_state(directory)
    except (tf.errors.OpError, ValueError) as error:
        raise CheckpointError(f'cannot read {path}: {runtime.one_line(error)}') from error
    if state is None:  # TensorFlow only warns, and what it warns of is hidden
        raise CheckpointError(f'cannot read {path}: repair it, or delete it to start over')
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
    with readable(checkpoint):
        reader = tf.train.NewCheckpointReader(checkpoint)
        return int(reader.get_tensor('global_step')) if reader.has_tensor('global_step') else 0


def remove_unfinished(directory: str) -> None:
    """Removes what a process that was killed during a save has left in `directory`."""
    for path in glob.glob(os.path.join(glob.escape(directory), BASENAME + '-*.tempstate*')):
        os.remove(path)


def save(saver: tf.train.Saver, session: tf.Session, directory: str, step: int) -> str:
    """Writes the files of `model-{step}` to `directory` and to the disk; returns its path.

    `keep_newest` makes it the newest checkpoint of the folder.

    Raises:
        CheckpointError: it cannot be written. Older checkpoints are unchanged.
    """
    prefix = os.path.join(directory, BASENAME)
    try:
        path = saver.save(
            session, prefix, global_step=step, write_meta_graph=False, write_state=False
        )
        for file in _files_of(path):
            files.sync(file)
        files.sync(directory)
        return path
    except (tf.errors.OpError, OSError, ValueError) as error:  # ValueError: a missing folder
        _remove(f'{prefix}-{step}')
        raise CheckpointError(f'cannot save {prefix}-{step}: {runtime.one_line(error)}') from error


def keep_newest(
    directory: str,
    checkpoint: str,
    keep: int = 1,
    beside: typing.Optional[typing.Dict[str, bytes]] = None,
) -> None:
    """Makes `checkpoint` the newest of `directory`, and removes all but the `keep` newest.

    Older ones are removed only after the file that names the newest has reached the disk. The
    files `beside` it, {path: bytes}, are written together with that one.

    Raises:
        Pix2PixError: a file cannot be written. Then all is as before, and the files of `checkpoint`
            are removed; or an older checkpoint cannot be removed.
    """
    named = [path for path in _named(directory) if path != checkpoint] + [checkpoint]
    lines = [f'model_checkpoint_path: "{os.path.basename(checkpoint)}"']
    lines += [f'all_model_checkpoint_paths: "{os.path.basename(path)}"' for path in named[-keep:]]
    state = {os.path.join(directory, 'checkpoint'): ('\n'.join(lines) + '\n').encode()}
    try:
        files.write_together(dict(beside or {}, **state), durable=True)
    except Pix2PixError:
        if checkpoint not in _named(directory):  # it may have failed after the change
            _remove(checkpoint)
        raise
    try:
        for path in named[:-keep]:
            _remove(path)
    except OSError as error:
        raise CheckpointError(f'cannot remove {path}: {error.strerror}') from error


class Saves:
    """The saves of a run. A failed one leaves older checkpoints unchanged and the run going."""

    def __init__(
        self,
        saver: tf.train.Saver,
        session: tf.Session,
        out: str,
        config: Config,
        data: typing.Optional[options.Data] = None,
    ) -> None:
        self.saver, self.session, self.out, self.config = saver, session, out, config
        self.data = data
        self.last_time = time.monotonic()
        self.saved_step: typing.Optional[int] = None  # of the last successful save of this process
        self.error: typing.Optional[Pix2PixError] = None  # of the last save, if it failed

    def is_due_by_time(self) -> bool:
        """Whether `save_secs` seconds have passed since the last save."""
        save_secs = self.config.save_secs
        return save_secs > 0 and time.monotonic() - self.last_time >= save_secs

    def save(self, step: int) -> None:
        """Saves the variables and, the first time, the options."""
        print_line('saving model')
        self.last_time = time.monotonic()
        try:
            path = save(self.saver, self.session, self.out, step)
            # Until the first save, the options are those of an earlier run
            beside = {} if self.saved_step else options.contents(self.config, self.out, self.data)
            keep_newest(self.out, path, self.config.keep, beside)
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
    with readable(checkpoint):
        saved = tf.train.NewCheckpointReader(checkpoint).get_variable_to_shape_map()
        _check_fit(checkpoint, saved, variables)
        saver.restore(session, checkpoint)


@contextlib.contextmanager
def readable(checkpoint: str) -> typing.Iterator[None]:
    """Turns an error while `checkpoint` is read into a Pix2PixError: mostly a CheckpointError."""
    try:
        yield
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        # The last two are those of a reader in 2.x
        cause = runtime.one_line(error)
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


def _files_of(checkpoint):
    """Those of TensorFlow alone: people may keep an archive of them with a similar name."""
    pattern = re.escape(checkpoint) + _ENDING + r'(\.tempstate[0-9]+)?'
    found = filter(os.path.isfile, glob.glob(glob.escape(checkpoint) + '.*'))
    return [path for path in found if re.fullmatch(pattern, path)]


def _remove(checkpoint):
    """Removes the files of a checkpoint, or what an interrupted save of it has left."""
    for path in _files_of(checkpoint):
        os.remove(path)
