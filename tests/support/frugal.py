"""Takes from the tests' processes what costs time and changes no result that a test looks at.

A test builds a graph of thousands of ops and runs it once or twice. A third of that time would go
to Python's garbage collector, to TensorFlow 1.15 reading the signatures of its own functions, and
to the graph optimizer, which pays off only after hundreds of steps.

| taken away                                     | back in                                        |
|------------------------------------------------|------------------------------------------------|
| the graph optimizer, in every `tf.Session`     | `optimized()`; a session with a configuration  |
| garbage collection, but for `collect()`        | the children of the fork server, though seldom |
| reading signatures again for each op, on 1.15  |                                                |
| `os.fsync`: no test cuts the power             | `start_command`, `run_real_command`            |

All of it holds in the process of pytest and in the fork server with its children, the commands that
`run_command` and `fork_command` start. A process that is started for itself has nothing taken away.

With the graph optimizer on, as users have it, these run: the trainings that tests share (`trained`,
`train_briefly`, `trained_small`, `watched_run`), on the networks of shallow.py and on those of the
post; the comparison with the post's graph in test_parity.py; the loss of a discriminator
that is certain in test_model.py; the switches of a session in test_session.py.

Two more things differ from what users run, each explained where it is: the networks (shallow.py),
and how commands start (forking.py).
"""

import contextlib
import functools
import gc
import os

import tensorflow.compat.v1 as tf
from tensorflow.python.util import tf_inspect

from pix2pix_tf import session
from pix2pix_tf.config import Config

_session_config = session.session_config


def spare() -> None:
    """Takes everything in the table away. Call it once all modules are imported."""
    gc.collect()
    if hasattr(gc, 'freeze'):  # not in Python 3.6
        gc.freeze()
    gc.disable()
    # 1.15 calls it whenever it creates an op
    signature = getattr(tf_inspect, '_getfullargspec', None)
    if signature:
        tf_inspect._getfullargspec = functools.lru_cache(maxsize=None)(signature)
    session.session_config = without_optimizer
    tf.Session = Session
    os.fsync = os.fstat  # fails alike for a descriptor that is not open


def without_optimizer(config):
    """`session.session_config` with the graph optimizer off."""
    proto = _session_config(config)
    proto.graph_options.rewrite_options.disable_meta_optimizer = True
    proto.graph_options.optimizer_options.opt_level = -1  # L0
    return proto


class Session(tf.Session):
    """A session without the graph optimizer, unless it is given a configuration."""

    def __init__(self, target='', graph=None, config=None):
        super().__init__(target, graph, config or without_optimizer(Config()))


@contextlib.contextmanager
def optimized():
    """The sessions of the package have the graph optimizer on in this block."""
    before, session.session_config = session.session_config, _session_config
    try:
        yield
    finally:
        session.session_config = before


def collect() -> None:
    """Frees the graphs of tests that have ended, once there are many objects."""
    if gc.get_count()[0] > 200000:
        gc.collect()
