"""Explains TensorFlow's errors: which file or which limit caused them."""

import contextlib
import os
from typing import Iterator, NoReturn, Optional, Sequence

import tensorflow.compat.v1 as tf

from pix2pix_tf import dataset
from pix2pix_tf.system import compat
from pix2pix_tf.system.errors import DataError, Pix2PixError, TrainingError

_SMALLER = '`batch_size`, `crop_size` or `ngf`'


def raise_explained(
    error: tf.errors.OpError, paths: Sequence[str], smaller: str = _SMALLER
) -> NoReturn:
    """Raises the Pix2PixError that explains `error`; without an explanation, `error` itself."""
    explained = explain(error, paths, smaller)
    if explained is None:
        raise error
    raise explained from error


@contextlib.contextmanager
def explained(paths: Sequence[str], smaller: str = _SMALLER) -> Iterator[None]:
    """Raises TensorFlow's errors in the block, whose graph reads `paths`, as `raise_explained`."""
    try:
        yield
    except tf.errors.OpError as error:
        raise_explained(error, paths, smaller)


def explain(
    error: tf.errors.OpError, paths: Sequence[str], smaller: str = _SMALLER
) -> Optional[Pix2PixError]:
    """The Pix2PixError that explains an OpError of a graph that reads `paths`; None if unknown.

    If memory ran out, the message advises a smaller value of what `smaller` lists. TensorFlow does
    not say which file it could not decode. To find it, if a decoder can have raised the error, the
    files are decoded again one by one, in a separate graph.
    """
    cause = compat.one_line(error)
    if 'No space left' in cause:
        return Pix2PixError(f'the disk is full ({cause}): free some space or choose another `out`')
    if 'in summary histogram' in cause:
        return TrainingError(
            f'a weight or a gradient is not finite ({cause}); nothing was saved after it: train '
            'again from the last checkpoint with a lower `learning_rate` and `override`'
        )
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return Pix2PixError(f'out of memory: use a smaller {smaller} ({cause})')
    named = [path for path in paths if path in error.message]
    if named:
        return DataError(f'cannot read {max(named, key=len)}: {cause}')
    if not isinstance(error, tf.errors.InvalidArgumentError):
        return None
    bad_path, cause = _first_undecodable(paths)
    if bad_path:
        return DataError(f'{bad_path} cannot be decoded ({cause}): repair or remove it')
    return None


def _first_undecodable(paths):
    """(the first file that cannot be decoded, why); (None, '') if all of them can."""
    with tf.Graph().as_default(), tf.Session() as sess:
        path = tf.placeholder(tf.string)
        image = dataset.decode_image(tf.read_file(path))
        for name in paths:
            try:
                sess.run(image.op, {path: os.fsencode(name)})
            except tf.errors.OpError as error:
                return name, compat.one_line(error)
    return None, ''
