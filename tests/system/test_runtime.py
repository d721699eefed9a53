import inspect

import tensorflow.compat.v1 as tf

from pix2pix_tf.system import compat


def test_a_mapped_function_runs_as_it_is_written(graph):
    """AutoGraph of 2.x would run a translation, from a file of its own."""
    files = []

    def double(value):
        files.append(inspect.currentframe().f_code.co_filename)
        return 2 * value

    doubled = compat.map_fn(double, tf.constant([1.0, 2.0]), tf.float32)
    with tf.Session() as session:
        assert session.run(doubled).tolist() == [2, 4]
    assert files == [double.__code__.co_filename]
