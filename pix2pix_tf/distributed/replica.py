"""One of several processes that train one model: each computes a replica of the graph.

In every step, the gradients of all replicas are averaged before Adam applies them, so that all have
the same weights. TensorFlow's collective all-reduce averages them, between `tf.train.Server`s.
"""

import os
import sys
import threading
import time
import typing

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.ops import collective_ops  # the only way to collectives in 1.x graphs

from pix2pix_tf.config import Config, as_written
from pix2pix_tf.distributed import peers
from pix2pix_tf.distributed.peers import Cluster
from pix2pix_tf.inference.generator import random_seed
from pix2pix_tf.system import compat
from pix2pix_tf.system.errors import UsageError, with_flags
from pix2pix_tf.training import should_stop

_JOB = 'worker'
_GROUP = 1  # all workers are one group; each collective in it has its own instance key
_INSTANCES = {'discriminator': 1, 'generator': 2}
_FIRST_VARIABLE = 10  # the instance keys from here on hand out the variables

_PATIENCE = 60  # seconds in which a worker ends by itself, once the chief has
_DELAY = 60  # seconds without a first step after which a line says what may be missing

# gRPC's variables with the hosts to connect to without a proxy; if the second is set, 2.x reads it
# alone, and 1.15 knows only the first
_NO_PROXY = ('no_proxy', 'no_grpc_proxy')

# Options that may differ between the workers
_OWN_OPTIONS = ('num_threads', 'memory_growth')

# Errors of a step that no other worker causes
_OWN_ERRORS = (
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.ResourceExhaustedError,
)


def avoid_proxies(workers: typing.Sequence[str]) -> None:
    """Adds the hosts of `workers` (host:port) to those that gRPC connects to without a proxy.

    gRPC would send even connections on loopback through the proxy of the environment, and wait
    forever for a proxy that does not know these addresses. Call it before TensorFlow's server
    starts.
    """
    hosts = [peers.split_address(worker)[0] for worker in workers]
    for name in _NO_PROXY:
        known = os.environ.get(name)
        if known is None and name != 'no_proxy':
            continue
        if not known:  # other libraries read NO_PROXY only without no_proxy
            known = os.environ.get('NO_PROXY', '')
        listed = [host.strip() for host in known.split(',') if host.strip()]
        os.environ[name] = ','.join(dict.fromkeys([*listed, *hosts]))


class Replica:
    """This process as one of the workers of a `cluster`.

    Set `stop` to request a stop; all workers then stop after the same step. If another worker is
    lost, this process ends with a line on standard error and status 1, because TensorFlow may never
    return from the step.
    """

    def __init__(self, cluster: Cluster, stop: threading.Event) -> None:
        self.cluster, self.stop = cluster, stop
        self.size = len(cluster.workers)
        self.target = ''  # of the session, once TensorFlow's server runs
        self.device: typing.Optional[str] = None
        self._stopping: typing.Optional[tf.Tensor] = None  # above 0 if a worker asked to stop
        self._agreed = False
        self._order_seed: typing.Optional[int] = None
        self._peers: typing.Optional[peers.Peers] = None
        self._server: typing.Any = None
        self._hand_out: typing.List[tf.Operation] = []
        self._notify: typing.Callable[[str], object] = str
        self._stepped = threading.Event()  # set once a step has ended, or this process ends

    @property
    def seed(self) -> int:
        """What this worker adds to a seed, so that its noise differs from the others'."""
        return self.cluster.task * 1000003

    @property
    def name(self) -> str:
        """The name of this worker in messages."""
        return self.cluster.name(self.cluster.task)

    def describe(self) -> str:
        """The part that this process has in the training, for the line about devices."""
        return f', as {self.name} of {self.size}'

    def join(
        self,
        config: Config,
        first_step: int,
        pairs: int,
        notify: typing.Callable[[str], object],
    ) -> typing.Optional[int]:
        """Waits for the other workers; returns the step at which the training begins.

        That is the chief's `first_step`. None if `stop` was set before all had joined.

        Raises:
            UsageError: the workers were given other options or other data.
            Pix2PixError: a port cannot be listened on, or a worker was given other addresses.
        """
        self._notify = notify
        self._peers = peers.Peers(self.cluster, self._leave)
        options = {n: v for n, v in as_written(config).items() if n not in _OWN_OPTIONS}
        seed = random_seed() if config.seed is None else config.seed
        greeting = {'options': options, 'pairs': pairs, 'step': first_step, 'seed': seed}
        if not self._peers.join(greeting, self.stop, notify):
            return None
        chief = self._peers.greetings[0]
        for task, theirs in self._peers.greetings.items():
            given, wanted = theirs['options'], chief['options']
            different = [
                f'`{name}` {given.get(name)} and {wanted.get(name)}'
                for name in sorted({*given, *wanted})  # they may run different versions
                if given.get(name) != wanted.get(name)
            ]
            if theirs['pairs'] != chief['pairs']:
                different.append(f'{theirs["pairs"]} and {chief["pairs"]} pairs')
            if different:
                self._peers.close()  # all find it, and say so themselves
                raise UsageError(
                    f'{self.cluster.name(task)} and the chief differ: {", ".join(different)}; '
                    'give all workers the same'
                )
        self._order_seed = chief['seed'] + chief['step']
        self.device = f'/job:{_JOB}/replica:0/task:{self.cluster.task}'
        return chief['step']

    def session_config(self, proto: tf.ConfigProto) -> tf.ConfigProto:
        """`proto` with what a session in the cluster needs; starts TensorFlow's server."""
        proto.experimental.collective_group_leader = f'/job:{_JOB}/replica:0/task:0'
        # Without it, a session would wait for the devices of all workers, even while it closes
        proto.device_filters.append(f'/job:{_JOB}/task:{self.cluster.task}')
        spec = tf.train.ClusterSpec({_JOB: list(self.cluster.workers)})
        avoid_proxies(self.cluster.workers)
        self._server = tf.train.Server(spec, _JOB, self.cluster.task, config=proto)
        self.target = self._server.target
        threading.Thread(target=self._explain_delay, name='first step', daemon=True).start()
        return proto

    def _explain_delay(self):
        """Until the first step has ended, says what this process may be waiting for."""
        others = [self.cluster.name(n) for n in range(self.size) if n != self.cluster.task]
        waited = 0
        while not self._stepped.wait(_DELAY):
            waited += _DELAY
            self._notify(
                f'no step has ended in {waited} s: waiting for TensorFlow to connect to '
                f'{", ".join(others)}; a firewall may close their ports'
            )

    def path_queue(self, paths: typing.Sequence[str]) -> tf.FIFOQueue:
        """This worker's part of the shuffled `paths`.

        All workers shuffle in the same order. Number `task` takes every `size`-th path, so that
        together they see each once an epoch.
        """
        everything = tf.train.string_input_producer(
            [os.fsencode(path) for path in paths], seed=self._order_seed
        )
        queue = tf.FIFOQueue(4, tf.string, [[]])
        part = everything.dequeue_many(self.size)[self.cluster.task]
        tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue(part)]))
        return queue

    def average(self, gradients: typing.List[tf.Tensor], network: str) -> typing.List[tf.Tensor]:
        """The mean of each of `gradients` over all replicas, in one collective.

        `network` is 'discriminator' or 'generator'.
        """
        tensors = list(gradients)
        if network == 'generator':  # the last all-reduce of a step also carries the stop request
            tensors.append(self._stop_flag(gradients[0].dtype))
        vector = tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0)
        mean = collective_ops.all_reduce(
            vector, self.size, _GROUP, _INSTANCES[network], 'Add', 'Div'
        )
        counts = [tensor.get_shape().num_elements() for tensor in tensors]
        means = [
            tf.reshape(part, tensor.get_shape())
            for part, tensor in zip(tf.split(mean, counts), tensors)
        ]
        if network == 'generator':
            self._stopping = means.pop()
        return means

    def _stop_flag(self, dtype):
        """1 in a step in which this process asks to stop, else 0."""

        def read():
            return dtype.as_numpy_dtype(should_stop(self.stop))

        flag = tf.py_func(read, [], dtype)
        flag.set_shape([])
        return flag

    def build(self) -> None:
        """Builds what `synchronize` runs; call it when all variables exist."""
        variables = sorted(tf.global_variables(), key=lambda variable: variable.name)
        for key, variable in enumerate(variables, _FIRST_VARIABLE):
            shape, dtype = variable.get_shape(), variable.dtype.base_dtype
            rest = (shape, dtype, self.size, _GROUP, key)
            if self.cluster.is_chief:
                op = collective_ops.broadcast_send(variable.read_value(), *rest).op
            else:
                op = tf.assign(variable, collective_ops.broadcast_recv(*rest)).op
            self._hand_out.append(op)

    def synchronize(self, session: tf.Session) -> None:
        """Gives all workers the values of the chief's variables."""
        session.run(self._hand_out)

    def fetches(self) -> typing.Dict[str, tf.Tensor]:
        """What a step reads for `note`."""
        return {} if self._stopping is None else {'stopping': self._stopping}

    def note(self, results: typing.Dict[str, typing.Any]) -> None:
        """Updates the stop state from the results of a step."""
        self._stepped.set()
        if results.get('stopping', 0) > 0:
            self._agreed = True
            self.stop.set()

    def should_stop(self) -> bool:
        """Whether the training stops here: once all workers know it."""
        return self._agreed

    def wait_for_loss(self, error: tf.errors.OpError) -> None:
        """If another worker may be the cause of `error`, waits for it to be known.

        Then `_leave` ends this process.
        """
        if not isinstance(error, _OWN_ERRORS):
            time.sleep(peers.SILENCE + 5)

    def wait_for_culprit(self, checked: typing.Dict[str, float]) -> None:
        """If the losses in `checked` are finite, waits for the worker whose are not."""
        losses = [value for name, value in checked.items() if 'gradient' not in name]
        if np.isfinite(losses).all():
            time.sleep(peers.SILENCE + 5)

    def __enter__(self) -> 'Replica':
        return self

    def __exit__(self, kind: typing.Any, error: typing.Any, *_: object) -> None:
        """Tells the other workers that this one has finished, or why it fails."""
        self._stepped.set()
        if self._peers and error is None:
            self._peers.close()
        elif self._peers:
            reason = compat.one_line(error) if str(error) else kind.__name__
            self._peers.tell(f'{self.name} ended: {reason}')
        for child in self.cluster.children:
            # Before all have joined, a worker that is still starting would wait for this process
            child.end(_PATIENCE if self.device else 0)

    def _leave(self, reason):
        """Ends this process and those that it has started, because another worker is lost."""
        for task, child in enumerate(self.cluster.children, 1):
            said = child.end(0)
            if said and reason.startswith(self.cluster.name(task)) and peers.AGAIN in reason:
                reason = f'{reason} (its last words: {said})'
        end = '\n' if sys.stdout.isatty() else ''  # of the live line
        os.write(
            2, f'{end}pix2pix-train: {with_flags(reason)}\n'.encode('utf-8', 'backslashreplace')
        )
        os._exit(1)
