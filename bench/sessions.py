"""What the programs share: TensorFlow as it is loaded, a running session, a clock."""

import contextlib
import time

import numpy as np

SIZE = 256  # pixels


def noise(batch=1):
    """A batch of noise in [-1, 1]: the content of an image does not change the time."""
    rng = np.random.RandomState(0)
    return np.tanh(rng.randn(batch, SIZE, SIZE, 3)).astype(np.float32)


def load_ours():
    """TensorFlow as the package's commands load it."""
    from pix2pix_tf.system import machine

    machine.keep_freed_blocks()
    import tensorflow.compat.v1 as tf

    from pix2pix_tf.system import compat

    compat.use_graph_mode()
    return tf


def load_plain():
    """TensorFlow as the post's script loads it."""
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    tf.logging.set_verbosity(tf.logging.ERROR)
    return tf


@contextlib.contextmanager
def running(tf, proto=None):
    """A session with the variables and queues of the default graph."""
    with tf.Session(config=proto) as session:
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        coordinator = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(session, coordinator)
        yield session
        coordinator.request_stop()
        coordinator.join(threads)


def time_of(work):
    """The seconds that `work()` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
