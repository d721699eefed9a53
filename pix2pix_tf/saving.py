"""Writing checkpoints: `model-N` in the output folder, and options.json together with them."""

import glob
import os
import time
import typing

import tensorflow.compat.v1 as tf

from pix2pix_tf import checkpoints, options_file
from pix2pix_tf.checkpoints import BASENAME
from pix2pix_tf.config import Config
from pix2pix_tf.system import compat, files, locks
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import CheckpointError, Pix2PixError


def remove_unfinished(directory: str) -> None:
    """Removes what a process has left in `directory` that was killed during a save.

    That are temporary files, and checkpoints of this package older than the newest one that the
    folder names, if it does not name them as well. Newer ones are printed. The folder is locked.

    Raises:
        CheckpointError: the folder names a checkpoint whose files are missing. Then all stay.
        Pix2PixError: a file cannot be removed.
    """
    path = directory
    try:
        for path in glob.glob(os.path.join(glob.escape(directory), BASENAME + '-*.tempstate*')):
            os.remove(path)
        newest = checkpoints.latest(directory)
        newest_step = checkpoints.step_in_name(newest)
        for step, path in sorted(checkpoints.unnamed_in(directory).items()):
            if newest_step is None or step > newest_step:
                names = f'names {os.path.basename(newest)}' if newest else 'does not exist'
                print_line(
                    f'{path} is not used, because {directory}/checkpoint {names}: a save was cut '
                    f'off, or that file was changed; remove {os.path.basename(path)}.* if it is '
                    'not needed'
                )
            else:
                _remove(path)
    except OSError as error:
        raise Pix2PixError(f'cannot remove {path}: {error.strerror}') from error


def write(
    saver: tf.train.Saver, sess: tf.Session, directory: str, step: int, basename: str = BASENAME
) -> str:
    """Writes the files of `{basename}-{step}` to `directory` and to the disk; returns its path.

    `keep_newest` makes it the newest checkpoint of the folder.

    Raises:
        CheckpointError: it cannot be written. Older checkpoints are unchanged.
    """
    prefix = os.path.join(directory, basename)
    try:
        path = saver.save(sess, prefix, global_step=step, write_meta_graph=False, write_state=False)
        for file in checkpoints.files_of(path):
            files.sync(file)
        files.sync(directory)
        return path
    except (tf.errors.OpError, OSError, ValueError) as error:  # ValueError: a missing folder
        _remove(f'{prefix}-{step}')
        raise CheckpointError(f'cannot save {prefix}-{step}: {compat.one_line(error)}') from error


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
        Pix2PixError: a file cannot be written; then nothing has changed, and the files of
            `checkpoint` are removed. Or an older checkpoint cannot be removed.
    """
    named = [path for path in checkpoints.named_in(directory) if path != checkpoint] + [checkpoint]
    # Not tf.train.update_checkpoint_state, which neither syncs nor writes other files with it
    lines = [f'model_checkpoint_path: "{os.path.basename(checkpoint)}"']
    lines += [f'all_model_checkpoint_paths: "{os.path.basename(path)}"' for path in named[-keep:]]
    state = {os.path.join(directory, 'checkpoint'): ('\n'.join(lines) + '\n').encode()}
    try:
        files.write_together(dict(beside or {}, **state), durable=True)
    except Pix2PixError:
        # It may have failed after the change
        if checkpoint not in checkpoints.named_in(directory):
            _remove(checkpoint)
        raise
    try:
        for path in named[:-keep]:
            _remove(path)
    except OSError as error:
        raise CheckpointError(f'cannot remove {path}: {error.strerror}') from error


class Saves:
    """Saves the variables of a run. After a failed save, older checkpoints are as before."""

    def __init__(
        self,
        saver: tf.train.Saver,
        sess: tf.Session,
        out: str,
        config: Config,
        data: typing.Optional[options_file.Data] = None,
        lock: typing.Optional[locks.Lock] = None,  # of `out`
    ) -> None:
        self.saver, self.sess, self.out, self.config = saver, sess, out, config
        self.data, self.lock = data, lock
        self.last_time = time.monotonic()
        self.saved_step: typing.Optional[int] = None  # of the last successful save of this process
        self.error: typing.Optional[Pix2PixError] = None  # of the last save, if it failed
        self.best_error: typing.Optional[Pix2PixError] = None  # the same of the best checkpoint

    def is_due(self, step: int, steps: range) -> bool:
        """Whether to save after `step` of the `steps` of the run: by save_freq or save_secs."""
        freq, secs = self.config.save_freq, self.config.save_secs
        by_step = freq > 0 and step % freq == 0
        by_time = secs > 0 and time.monotonic() - self.last_time >= secs
        return by_step or by_time or step == steps.stop

    def save(self, step: int) -> None:
        """Saves the variables and, the first time or where they are missing, the options.

        Raises:
            LockedError: the folder was removed, and another process uses one in its place.
        """
        print_line('saving model')
        self.last_time = time.monotonic()
        try:
            if self.lock:
                self.lock.take_again()
            path = write(self.saver, self.sess, self.out, step)
            # Until the first save, the options are those of an earlier run
            beside = options_file.contents(self.config, self.out, self.data, tf.__version__)
            if self.saved_step and all(map(os.path.exists, beside)):
                beside = {}
            keep_newest(self.out, path, self.config.keep, beside)
        except locks.LockedError:
            raise
        except Pix2PixError as error:
            self.error = error
            print_line(f'{error}; earlier checkpoints are kept, and the next save tries again')
        else:
            self.error, self.saved_step = None, step


def _remove(checkpoint):
    """Removes the files of a checkpoint, complete or not."""
    for path in checkpoints.files_of(checkpoint):
        os.remove(path)
