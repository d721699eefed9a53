"""One worker of a cluster, as tests/distributed/test_cluster.py starts it; not a test.

replica.py weights|nan|stall PAIRS OUT WORKERS TASK STEPS: trains, then saves its variables
replica.py gradients WORKERS TASK OUT: saves its gradients of one step in float64
"""

import contextlib
import itertools
import sys
import threading
from dataclasses import replace

import numpy as np
import tensorflow.compat.v1 as tf

from pix2pix_tf import dataset
from pix2pix_tf.config import Config
from pix2pix_tf.distributed import replica
from pix2pix_tf.distributed.peers import Cluster
from pix2pix_tf.distributed.replica import Replica
from pix2pix_tf.distributed.train import train as train_replica
from pix2pix_tf.model import build_model
from pix2pix_tf.system import compat, signals

NARROW = Config(ngf=2, ndf=2, seed=5, display_freq=0, progress_freq=0, scale_size=72, crop_size=64)


def pair(task):
    """The images of a replica: [2, 1, 256, 256, 3] in [-1, 1]."""
    return np.random.RandomState(task).uniform(-1, 1, (2, 1, 256, 256, 3))


def gradients(workers, task):
    """{name: gradient} of a step in float64, the weights of which are not changed."""
    compat.use_graph_mode()
    tf.float32 = tf.float64
    config = Config(ngf=2, ndf=2, dropout=0.0, learning_rate=0.0)
    with tf.Graph().as_default() as graph, contextlib.ExitStack() as stack:
        replica, target, proto = None, '', tf.ConfigProto()
        if workers:
            replica = stack.enter_context(Replica(Cluster(workers, task), threading.Event()))
            replica.join(config, 0, 1, print)
        tf.set_random_seed(9)
        with tf.device(replica and replica.device):
            images = tf.constant(pair(task))
            model = build_model(images[0], images[1], config, replica and replica.average)
        if workers:
            proto = replica.session_config(proto)
            target = replica.target
        with tf.Session(target, graph, config=proto) as session:
            session.run(tf.global_variables_initializer())
            return session.run((model.gradients, model.train_op))[0]


def train(kind, pairs, out, workers, task, steps):
    """A training.

    With 'nan', the second worker's inputs are not numbers from its third step on. With 'stall', it
    never starts TensorFlow's server, and a second signal need not come later than the first.
    """
    if kind == 'stall':
        signals.ECHO, replica._DELAY = 0, 0.5
        if task == 1:
            Replica.session_config = lambda *_: threading.Event().wait()
    if kind == 'nan' and task == 1:
        load_data, numbers = dataset.load_data, map(np.float32, itertools.count())

        def spoil(*args, **kwargs):
            batches = load_data(*args, **kwargs)
            number = tf.py_func(lambda: next(numbers), [], tf.float32)
            # 1, 1, then 0 / 0
            factor = tf.to_float(number < 2) / tf.to_float(number < 2)
            spoilt = batches.inputs * factor
            spoilt.set_shape(batches.inputs.get_shape())
            return batches._replace(inputs=spoilt)

        dataset.load_data = spoil
    values, sessions = {}, []
    synchronize, note = Replica.synchronize, Replica.note

    def remember_session(replica, sess):
        sessions.append(sess)
        synchronize(replica, sess)

    def remember_variables(replica, results):
        note(replica, results)
        if task and results['global_step'] == steps:
            values.update(sessions[0].run({v.op.name: v for v in tf.global_variables()}))

    Replica.synchronize, Replica.note = remember_session, remember_variables
    train_replica(Cluster(workers, task), pairs, out, replace(NARROW, max_steps=steps))
    if values:
        np.savez(f'{out}-{task}.npz', **values)


if __name__ == '__main__':
    if sys.argv[1] == 'gradients':
        _, _, listed, number, path = sys.argv
        np.savez(path, **gradients(tuple(filter(None, listed.split(','))), int(number)))
    else:
        _, what, folder, to, listed, number, last = sys.argv
        train(what, folder, to, tuple(listed.split(',')), int(number), int(last))
