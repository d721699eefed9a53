"""What TensorFlow's errors mean to a person: which file, which limit."""

import contextlib
import os
import typing

import tensorflow.compat.v1 as tf

from pix2pix_tf import dataset
from pix2pix_tf.system import compat
from pix2pix_tf.system.errors import DataError, Pix2PixError, TrainingError

_SMALLER = '`batch_size`, `crop_size` or `ngf`'


def raise_explained(
    error: tf.errors.OpError, paths: typing.Sequence[str], smaller: str = _SMALLER
) -> typing.NoReturn:
    """Raises the Pix2PixError that explains `error`, or `error` itself if there is none."""
    explained = explain(error, paths, smaller)
    if explained is None:
        raise error
    raise explained from error


@contextlib.contextmanager
def explained(paths: typing.Sequence[str]) -> typing.Iterator[None]:
    """Turns TensorFlow's errors in the block, whose graph reads `paths`, into Pix2PixErrors."""
    try:
        yield
    except tf.errors.OpError as error:
        raise_explained(error, paths)


def explain(
    error: tf.errors.OpError, paths: typing.Sequence[str], smaller: str = _SMALLER
) -> typing.Optional[Pix2PixError]:
    """Translates an OpError of a graph that reads `paths` into a Pix2PixError; None if it cannot.

    Where memory is short, the message advises to make what `smaller` names smaller.
    TensorFlow does not say which file it could not decode. To find it after an error that a decoder
    can raise, the files are decoded again one by one, in a separate graph.
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
    with tf.Graph().as_default(), tf.Session() as session:
        path = tf.placeholder(tf.string)
        image = dataset.decode_image(tf.read_file(path))
        for name in paths:
            try:
                session.run(image.op, {path: os.fsencode(name)})
            except tf.errors.OpError as error:
                return name, compat.one_line(error)
    return None, ''
