"""Keeps the checkpoint with the best validation metric, in the folder best of a training.

best.json beside it has its metrics, so that a resumed run compares with them.
"""

import json
import math
import os
import typing

import tensorflow.compat.v1 as tf

from pix2pix_tf import checkpoints, options_file, saving
from pix2pix_tf.config import Config, size_as_written
from pix2pix_tf.evaluation import metrics
from pix2pix_tf.evaluation.image_metrics import OptionalMetrics, names_with
from pix2pix_tf.pairs.find import Pairs
from pix2pix_tf.system import files, locks, parsing
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import Pix2PixError, UsageError

DIRECTORY, FILENAME = 'best', 'best.json'
# The name of a checkpoint if `model-N` is the one to be replaced, after a run was killed at a later
# step and resumed at an earlier one: a save must not write into the files of the former best
_OTHER_BASENAME = 'model-again'


def check_possible(
    config: Config, val_data: typing.Optional[str], optional: OptionalMetrics = OptionalMetrics()
) -> None:
    """Checks that `keep_best` is none, or a metric that the validation measures.

    Raises:
        UsageError: it is not.
    """
    name = config.keep_best
    if name == 'none':
        return
    if not (val_data and config.eval_freq):
        raise UsageError(f'`keep_best` is {name}: it needs `val_data`, and `eval_freq` above 0')
    if name not in names_with(optional):
        raise UsageError(f'`keep_best` is {name}: it needs `{name.lower()}` as well')


def find(
    out: str, config: Config, watched: typing.Optional[Pairs]
) -> typing.Optional['BestCheckpoint']:
    """The BestCheckpoint of the folder `out`; None if `keep_best` is none.

    `watched` are the validation pairs. The folder is locked: what a killed process has left is
    removed.

    Raises:
        UsageError: the folder has a checkpoint that was not kept by it.
        Pix2PixError: the former best cannot be read.
    """
    if config.keep_best == 'none' or not watched:
        return None
    best = BestCheckpoint(os.path.join(out, DIRECTORY), config, watched.paths)
    best.describe()
    return best


class BestCheckpoint:
    """The checkpoint in `folder` that has the best value of `keep_best` on the pairs at `paths`."""

    def __init__(self, folder: str, config: Config, paths: typing.Sequence[str]) -> None:
        self.folder, self.metric = folder, config.keep_best
        # Values of other images, or of the same images seen otherwise, cannot be compared
        self.images = {
            'count': len(paths),
            'digest': options_file.describe_data('', paths).digest,
            'direction': config.direction,
            'size': size_as_written(config.crop_size),
        }
        self.name, self.record = _load(folder)

    @property
    def value(self) -> typing.Optional[float]:
        """The metric of the checkpoint; None without one, or if it cannot be compared."""
        is_same = self.record.get('images') == self.images
        return self.record['metrics'].get(self.metric) if is_same else None

    @property
    def _path(self):
        return os.path.join(self.folder, self.name or '')

    def describe(self) -> None:
        """Prints which checkpoint the next one must surpass, if there is one."""
        if self.value is not None:
            print_line(f'the best so far is {self._path}: {self.metric} {self.value:.4f}')
        elif self.name:
            print_line(
                f'{self._path} has no {self.metric} of these validation images: the next '
                'evaluation replaces it'
            )

    def offer(self, saves: saving.Saves, step: int, values: typing.Dict[str, float]) -> None:
        """Saves the variables after `step` in place of the former best, if they are better.

        `values` are the validation metrics after that step, {name: value}. If it fails, the former
        best stays, and `saves.best_error` says why.

        Raises:
            LockedError: the folder was removed, and another process uses one in its place.
        """
        value = values[self.metric]
        if not self._is_better(value):
            return
        print_line(f'saving model as the best so far: {self.metric} {value:.4f}')
        finite = {name: number for name, number in values.items() if math.isfinite(number)}
        try:
            self._save(saves, step, {'images': self.images, 'metrics': finite})
        except locks.LockedError:
            raise
        except Pix2PixError as error:
            saves.best_error = error
            print_line(f'{error}; the best before it is kept')
        else:
            saves.best_error = None

    def _is_better(self, value):
        if not math.isfinite(value):
            return False
        if self.value is None or not tf.train.checkpoint_exists(self._path):
            return True
        lower = self.metric in metrics.LOWER_IS_BETTER
        return value < self.value if lower else value > self.value

    def _save(self, saves, step, record):
        if saves.lock:
            saves.lock.take_again()
        files.prepare_directory(self.folder)
        taken = self.name == f'{saving.BASENAME}-{step}'
        path = saving.write(
            saves.saver,
            saves.sess,
            self.folder,
            step,
            _OTHER_BASENAME if taken else saving.BASENAME,
        )
        name = os.path.basename(path)
        # With the record of the former best: a kill may come between this file and the change
        records = {self.name: self.record} if self.name else {}
        records[name] = record
        beside = options_file.contents(saves.config, self.folder, saves.data, tf.__version__)
        beside[os.path.join(self.folder, FILENAME)] = (
            json.dumps(records, indent=2) + '\n'
        ).encode()
        try:
            saving.keep_newest(self.folder, path, 1, beside)
        finally:
            if path in checkpoints.named_in(self.folder):  # it may fail after the change
                self.name, self.record = name, record


def _load(folder):
    """(name of the checkpoint in `folder`, its record in best.json); (None, {}) if it has none."""
    if not os.path.isdir(folder):
        return None, {}
    saving.remove_unfinished(folder)
    files.remove_unfinished(folder, seconds=0)
    newest = checkpoints.latest(folder)
    if not newest:
        return None, {}
    path = os.path.join(folder, FILENAME)
    try:
        records = parsing.parse_json(files.read(path)) if os.path.lexists(path) else {}
        name = os.path.basename(newest)
        if name not in records:
            raise UsageError(
                f'{newest} was not saved by `keep_best`: move it to a folder that is not named '
                f'{DIRECTORY}'
            )
        record = records[name]
        return name, {
            'images': record['images'],
            'metrics': {name: float(value) for name, value in record['metrics'].items()},
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Pix2PixError(f'cannot use {path} ({error!r}): move {folder} elsewhere') from error
