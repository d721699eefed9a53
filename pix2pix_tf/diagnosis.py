"""What TensorFlow's errors mean to a person: which file, which limit."""

import typing

import tensorflow.compat.v1 as tf

from pix2pix_tf import dataset
from pix2pix_tf.system import runtime
from pix2pix_tf.system.errors import DataError, Pix2PixError


def explain(error: tf.errors.OpError, paths: typing.Sequence[str]) -> typing.Optional[Pix2PixError]:
    """Translates an OpError of a graph that reads `paths` into a Pix2PixError; None if it cannot.

    TensorFlow does not say which file it could not decode. To find it, the files are decoded again
    one by one, in a separate graph.
    """
    cause = runtime.one_line(error)
    if 'No space left' in cause:
        return Pix2PixError(f'the disk is full ({cause}): free some space or choose another `out`')
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return Pix2PixError(
            f'out of memory: use a smaller `batch_size`, `crop_size` or `ngf` ({cause})'
        )
    for path in paths:
        if path in error.message:
            return DataError(f'cannot read {path}: {cause}')
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
                session.run(image.op, {path: name})
            except tf.errors.OpError as error:
                return name, runtime.one_line(error)
    return None, ''
