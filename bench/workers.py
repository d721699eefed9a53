"""What is measured, each in a process of its own: `python bench/workers.py KIND [ARGUMENT]`.

A worker gets ready, prints one line, and then does its work once for every line it reads, each time
printing the seconds that took. At the end of its input it prints the most memory it has held.
"""

import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import numpy as np

STEPS_AT_ONCE = 1
IMAGES_AT_ONCE = 100  # of the pipeline


def _picture_batch():
    rng = np.random.RandomState(0)
    return np.tanh(rng.randn(1, 256, 256, 3)).astype(np.float32)


def _ours():
    """TensorFlow as the package's commands load it."""
    from pix2pix_tf import memory

    memory.keep()
    import tensorflow.compat.v1 as tf

    from pix2pix_tf import runtime

    runtime.use_graph_mode()
    return tf


def _plain():
    """TensorFlow as it is."""
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    tf.logging.set_verbosity(tf.logging.ERROR)
    return tf
