"""What TensorFlow's errors mean to a person: which file, which limit."""

import tensorflow.compat.v1 as tf

from pix2pix_tf import dataset
from pix2pix_tf.system import runtime
from pix2pix_tf.system.errors import DataError, Pix2PixError


def explain(error, paths):
    """The Pix2PixError that a tf.errors.OpError in a graph fed from `paths` comes to, or None.

    A decoder does not say which file it failed on. The files are decoded again, one by one, to
    find it, in a graph of their own.
    """
    reason = runtime.reason(error)
    if 'No space left' in reason:
        return Pix2PixError(f'the disk is full ({reason}): make room or choose another --out')
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return Pix2PixError(
            f'out of memory: use a smaller --batch_size, --crop_size or --ngf ({reason})'
        )
    for path in paths:
        if path in error.message:
            return DataError(f'can not read {path}: {reason}')
    path, reason = _first_undecodable(paths)
    if path:
        return DataError(f'{path} can not be decoded ({reason}): mend or remove it')
    return None


def _first_undecodable(paths):
    with tf.Graph().as_default(), tf.Session() as session:
        path = tf.placeholder(tf.string)
        image = dataset.decode_image(tf.read_file(path))
        for name in paths:
            try:
                session.run(image.op, {path: name})
            except tf.errors.OpError as error:
                return name, runtime.reason(error)
    return None, None
