"""Spares the tests work that has nothing to do with what they assert.

A test builds a graph of thousands of ops and runs it once or twice. A third of that time goes to
Python's garbage collector, to TensorFlow 1.15 reading the signatures of its own functions, and to
the graph optimizer, which pays off only after hundreds of steps. A save waits for the disk, though
no test cuts the power.
"""

import functools
import gc
import os

import tensorflow.compat.v1 as tf
from tensorflow.python.util import tf_inspect

from pix2pix_tf import session
from pix2pix_tf.config import Config

OPTIMIZED = session.session_config


def spare() -> None:
    """Call it once everything is imported. Commands in processes of their own never do.

    What a graph computes stays the same. Tests of the switches of a session use the fixture
    `optimized`, or give a session a configuration.
    """
    gc.collect()
    if hasattr(gc, 'freeze'):  # not in Python 3.6
        gc.freeze()
    gc.disable()
    # 1.15 asks for it whenever it creates an op
    signature = getattr(tf_inspect, '_getfullargspec', None)
    if signature:
        tf_inspect._getfullargspec = functools.lru_cache(maxsize=None)(signature)
    session.session_config = session_config
    tf.Session = Session
    os.fsync = os.fstat  # fails alike for a descriptor that is not open


def session_config(config):
    """`gpu.session_config` with the graph optimizer off."""
    proto = OPTIMIZED(config)
    proto.graph_options.rewrite_options.disable_meta_optimizer = True
    proto.graph_options.optimizer_options.opt_level = -1  # L0
    return proto


class Session(tf.Session):
    """A session that has the graph optimizer off if it gets no configuration."""

    def __init__(self, target='', graph=None, config=None):
        super().__init__(target, graph, config or session_config(Config()))


def collect() -> None:
    """Frees the graphs of tests that have ended, when there are some."""
    if gc.get_count()[0] > 200000:
        gc.collect()
