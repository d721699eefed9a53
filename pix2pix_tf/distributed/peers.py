"""The workers of a training watch each other, over connections next to TensorFlow's.

TensorFlow 1.15 waits forever for a worker that is gone, and 2.x does not say which one it is. Here
every two workers have a connection, on which each sends a heartbeat every second and, at its end,
the reason.
"""

import contextlib
import socket
import subprocess
import threading
import time
import typing

from pix2pix_tf.distributed import json_lines
from pix2pix_tf.system.errors import Pix2PixError

SILENCE = 20.0  # seconds without a heartbeat after which a worker is given up
_BEAT = 1.0
_NOTICE = 10.0  # seconds between two lines that name the missing workers
_RETRY = 0.5
AGAIN = 'the same command resumes from the last save'


class Child(typing.NamedTuple):
    """A worker that this process has started."""

    process: subprocess.Popen
    errors: typing.IO[str]  # its standard error

    def end(self, patience: float) -> str:
        """Waits `patience` seconds, then kills the process; returns the last line of its errors."""
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.seek(0)
        return ([line for line in self.errors.read().splitlines() if line.strip()] or [''])[-1]


class Cluster(typing.NamedTuple):
    """The processes of a training; by default this one alone."""

    # 'host:port' of each worker, for TensorFlow; Peers uses port + 1
    workers: typing.Tuple[str, ...] = ()
    task: int = 0  # index of this process in `workers`; 0 is the chief, which saves and reports
    children: typing.Tuple[Child, ...] = ()  # workers that this process has started

    @property
    def is_chief(self) -> bool:
        return self.task == 0

    def name(self, task: int) -> str:
        """The name of a worker in messages."""
        return f'worker {task} ({self.workers[task]})'


class Peers:
    """The other workers of a `cluster`.

    Each listens on the port after the one in its address, which is TensorFlow's. When the first
    worker ends without a message that it has finished, a thread calls `on_loss` with a line.

    Raises:
        Pix2PixError: one of this worker's two ports cannot be listened on.
    """

    def __init__(self, cluster: Cluster, on_loss: typing.Callable[[str], object]) -> None:
        self.workers, self.task, self.name = list(cluster.workers), cluster.task, cluster.name
        self.on_loss = on_loss
        self.greetings: typing.Dict[int, json_lines.Message] = {}
        self._sockets: typing.Dict[int, socket.socket] = {}
        self._silent: typing.Dict[int, int] = {}  # own heartbeats since the last of each worker
        self._over: typing.Set[int] = set()  # workers that have finished or are lost
        self._refused = ''
        self._notify: typing.Callable[[str], object] = str
        self._strangers: typing.Set[str] = set()  # hosts and addresses that were named
        self._changed = threading.Condition()
        self._joined, self._closing = threading.Event(), threading.Event()
        self._left = threading.Event()
        self._writing = threading.Lock()
        host, port = _watch_address(self.workers[self.task])
        json_lines.listen(host, port - 1).close()  # TensorFlow finds out after all have joined
        self._listener = json_lines.listen(host, port)
        self._listener.settimeout(_RETRY)

    def join(
        self,
        greeting: json_lines.Message,
        stop: threading.Event,
        notify: typing.Callable[[str], object],
    ) -> bool:
        """Waits until all workers have joined; False if `stop` was set before.

        Each receives the `greeting` of this one; theirs, with the same names and types, are then in
        `greetings`. While it waits, `notify` is called with a line every 10 seconds, and with one
        for each host that sends something else.

        Raises:
            Pix2PixError: a worker was given other addresses.
        """
        mine = dict(greeting, task=self.task, workers=self.workers)
        self.greetings[self.task] = mine
        self._notify = notify
        _start(self._accept, mine)
        _start(self._beat)
        for other in range(self.task):
            _start(self._connect, other, mine)
        due = time.monotonic() + _NOTICE
        with self._changed:
            while len(self.greetings) < len(self.workers):
                self._changed.wait(0.1)
                if self._refused:
                    raise Pix2PixError(self._refused)
                if stop.is_set():
                    return False
                if time.monotonic() > due:
                    due += _NOTICE
                    missing = [n for n in range(len(self.workers)) if n not in self.greetings]
                    notify('waiting for ' + ', '.join(map(self.name, missing)))
        self._joined.set()
        return True

    def tell(self, reason: str) -> None:
        """Tells all peers why this worker ends; disconnects after that are not failures.

        It waits for `on_loss` if that has begun, so that a process that it ends prints one line.
        """
        with self._changed:
            self._closing.set()
        self._send({'ended': reason})
        self._left.set()

    def close(self) -> None:
        """Tells all peers that this worker has finished; returns once all have, or are lost.

        Until then, TensorFlow may still be sending them parts of the last mean.
        """
        with self._changed:
            if not self._closing.is_set():
                self._closing.set()
                self._send({'done': True})
                if self._joined.is_set():
                    self._changed.wait_for(lambda: len(self._over) == len(self._sockets))
        self._left.set()
        for connection in self._sockets.values():
            connection.close()

    def _accept(self, mine):
        with self._listener:
            while not (self._joined.is_set() or self._closing.is_set()):
                with contextlib.suppress(socket.timeout):
                    connection, (host, *_) = self._listener.accept()
                    _start(self._welcome, connection, host, mine)

    def _welcome(self, connection, host, mine):
        """Connections that do not start with a worker's greeting are closed."""
        with contextlib.suppress(OSError):
            connection.settimeout(SILENCE)
            lines = connection.makefile('rb')
            theirs = _receive_first(lines)
            if theirs is None:  # a scan of ports, or a check of health: it has sent nothing
                pass
            elif not _is_greeting(theirs, mine):
                here = _second_port(self.workers[self.task])
                self._name_stranger(
                    host, f'{host} is not a worker, but connected to {here}: closed'
                )
            elif theirs['workers'] != self.workers:
                json_lines.send(
                    connection, {'refused': f'{self.name(self.task)} has other `workers`'}
                )
            elif theirs['task'] in range(self.task + 1, len(self.workers)):
                json_lines.send(connection, mine)
                return self._add(theirs, connection, lines)
        connection.close()

    def _connect(self, other, mine):
        address = _watch_address(self.workers[other])
        while not self._closing.is_set():
            with contextlib.suppress(OSError):
                connection = socket.create_connection(address, timeout=SILENCE)
                json_lines.send(connection, mine)
                lines = connection.makefile('rb')
                theirs = _receive_first(lines)
                if theirs is not None:
                    if isinstance(theirs.get('refused'), str):
                        self._refused = theirs['refused']
                        return None
                    if _is_greeting(theirs, mine) and theirs['task'] == other:
                        return self._add(theirs, connection, lines)
                    there = _second_port(self.workers[other])
                    self._name_stranger(
                        there,
                        f'{there} is not the second port of {self.name(other)}: another program '
                        'answers there; end it, or give `workers` other ports',
                    )
                connection.close()
            time.sleep(_RETRY)

    def _name_stranger(self, stranger, line):
        with self._changed:
            if stranger in self._strangers:
                return
            self._strangers.add(stranger)
        self._notify(line)

    def _add(self, greeting, connection, lines):
        """Registers a worker, and reads its messages until it ends."""
        task = greeting['task']
        with self._changed:
            if task in self.greetings:
                connection.close()
                return
            connection.settimeout(None)
            self._silent[task] = 0
            self._sockets[task] = connection
            self.greetings[task] = greeting
            self._changed.notify_all()
        reason = f'{self.name(task)} ended; {AGAIN}'
        with contextlib.suppress(OSError, ValueError):
            for message in iter(lambda: json_lines.receive(lines), None):
                self._silent[task] = 0
                if 'done' in message or 'ended' in message:
                    reason = message.get('ended') and str(message['ended'])
                    break
        if self._silent[task] * _BEAT >= SILENCE:
            reason = (
                f'{self.name(task)} has said nothing for {SILENCE:.0f} s: it is stopped, or its '
                f'machine or network is down; {AGAIN}'
            )
        with self._changed:
            self._over.add(task)
            self._changed.notify_all()
            if reason and not self._closing.is_set():
                self.tell(reason)  # or the others would name this worker, if it ends first
                self.on_loss(reason)

    def _beat(self):
        """Sends heartbeats, and closes the connections of workers that send none.

        Their silence is measured in heartbeats of this process: if Ctrl-Z stops all of them, or the
        machine sleeps, that time does not count.
        """
        while not self._left.wait(_BEAT):
            self._send({})
            for task, connection in list(self._sockets.items()):
                self._silent[task] += 1
                if self._silent[task] * _BEAT >= SILENCE:
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RD)  # its reader sees an end

    def _send(self, message):
        for connection in list(self._sockets.values()):
            with self._writing, contextlib.suppress(OSError):  # the thread that reads notices
                json_lines.send(connection, message)


def _receive_first(lines):
    """The first message of a connection; an empty one if it is invalid; None at its end."""
    try:
        return json_lines.receive(lines)
    except ValueError:
        return {}


def _is_greeting(theirs, mine):
    """Whether a message has what this worker's greeting has; foreign programs may send JSON too."""
    return all(type(theirs.get(name)) is type(value) for name, value in mine.items())


def split_address(worker: str) -> typing.Tuple[str, int]:
    """The host, without the brackets of IPv6, and the port of an address in `Cluster.workers`."""
    host, _, port = worker.rpartition(':')
    return host.strip('[]'), int(port)


def _watch_address(worker):
    """The host and the port of a worker for the connections of Peers."""
    host, port = split_address(worker)
    return host, port + 1


def _second_port(worker):
    """That address of a worker, for messages."""
    host, _, port = worker.rpartition(':')
    return f'{host}:{int(port) + 1}'


def _start(function, *arguments):
    threading.Thread(target=function, args=arguments, name='peers', daemon=True).start()
