"""The cost of averaging gradients between two processes on this machine, by their number.

    python bench/collectives.py

Two processes on loopback average a vector as a training does, ten times for each size. Prints the
median seconds. The post's two networks have 2.8 and 54 million weights.
"""

import subprocess
import sys
import threading
import time

import numpy as np
import tensorflow.compat.v1 as tf

from pix2pix_tf.config import Config
from pix2pix_tf.distributed.launch import free_addresses
from pix2pix_tf.distributed.peers import Cluster
from pix2pix_tf.distributed.replica import Replica
from pix2pix_tf.system import compat

SIZES = (100000, 1000000, 10000000, 54000000)  # float32 numbers
ROUNDS = 10


def seconds(replica, proto, count):
    """The median seconds of an average of `count` numbers."""
    with tf.Graph().as_default(), tf.device(replica.device):
        [mean] = replica.average([tf.zeros([count])], 'discriminator')
        with tf.Session(replica.target, config=proto) as session:
            session.run(mean.op)
            times = []
            for _ in range(ROUNDS):
                start = time.perf_counter()
                session.run(mean.op)
                times.append(time.perf_counter() - start)
    return float(np.median(times))


def measure(workers, task, count):
    """One of the two processes; the first prints the result."""
    compat.use_graph_mode()
    with Replica(Cluster(workers, task), threading.Event()) as replica:
        replica.join(Config(), 0, 1, print)
        median = seconds(replica, replica.session_config(tf.ConfigProto()), count)
    if task == 0:
        print(f'{count:>10} numbers  {count * 4e-6:6.1f} MB  {median:.4f} s')


def main():
    for count in SIZES:  # each in new processes: the size of a collective is fixed
        workers = ','.join(free_addresses(2))
        both = [
            subprocess.Popen([sys.executable, __file__, workers, str(task), str(count)])
            for task in (1, 0)
        ]
        statuses = [process.wait() for process in both]
        if any(statuses):
            sys.exit(1)


if __name__ == '__main__':
    if len(sys.argv) == 1:
        main()
    else:
        measure(tuple(sys.argv[1].split(',')), *map(int, sys.argv[2:]))
