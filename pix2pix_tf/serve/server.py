"""`pix2pix-serve`: the application on waitress, with timeouts, until a signal ends it."""

import ipaddress
import json
import logging
import threading
import time
import urllib.parse
from typing import Any, Callable, Dict, Optional

import waitress
from waitress import channel, task, wasyncore

from pix2pix_tf.inference.trained import find
from pix2pix_tf.serve import canvas
from pix2pix_tf.serve.access import Access
from pix2pix_tf.serve.app import Application
from pix2pix_tf.serve.hot_reload import CurrentGenerator
from pix2pix_tf.serve.image_request import Limits
from pix2pix_tf.serve.job_queue import JobQueue
from pix2pix_tf.serve.log import log
from pix2pix_tf.system import machine, signals
from pix2pix_tf.system.errors import Pix2PixError

WATCH_SECONDS = 2  # between two looks for a newer checkpoint
IDLE_SECONDS = 30  # after which a connection without a request is closed
HEADER_BYTES = 32 * 2**10
CONNECTIONS = 500
_GRACE_SECONDS = 0.5
_SPARE = 8  # threads for requests that need no generator, among them rejected ones


def serve(
    model: str,
    name: str = 'pix2pix',
    access: Access = Access(),
    limits: Limits = Limits(),
    data: Optional[str] = None,
    watch: bool = False,
    **changes: Any,
) -> None:
    """Serves `model` until SIGINT, SIGTERM or SIGHUP.

    `name` is that of the model in addresses, `data` a folder of training images for the page, by
    default that of the training. With `watch`, newer checkpoints are loaded as they appear.
    `changes` are the options that `pix2pix_tf.load` takes.

    Raises:
        Pix2PixError: there is no model, or the address cannot be used.
    """
    drawing = canvas.prepare(find(model, **changes), data)
    current = CurrentGenerator(model, **changes)
    workers = machine.cores() + 1  # one reads and writes while the others compute
    jobs = JobQueue(workers, limits.queue, limits.seconds)
    application = Application(name, current, drawing, jobs, limits, access)
    server = Server(application, access.host, access.port, workers, limits)
    with signals.stopping_on_signals(log, 'finishing the requests') as stop:
        if watch:
            threading.Thread(
                target=current.watch, args=(WATCH_SECONDS, stop), name='watch', daemon=True
            ).start()
        if not _is_loopback(access.host) and access.token is None:
            log(
                f'warning: every client that can reach {access.host} can use this server: set a '
                '`token`, and put a proxy with TLS in front of it'
            )
        address = _address(access, server.port)
        log(f'serving {model}, step {current.generator.step}, at {address}')
        server.run(stop)
        jobs.close()
        current.generator.close()


def _is_loopback(host):
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'


def _address(access, port):
    """The address of the page, with the token."""
    host = f'[{access.host}]' if ':' in access.host else access.host
    token = f'#token={urllib.parse.quote(access.token, safe="")}' if access.token else ''
    return f'http://{host}:{port}/{token}'


class Server:
    """waitress with timeouts for slow clients and a shutdown that finishes requests.

    It listens on `host` and `port` (0: a free one, which the attribute `port` holds) as soon as it
    is created. `workers` is the number of threads that compute.

    Raises:
        Pix2PixError: the address cannot be used.
    """

    def __init__(
        self,
        application: Callable[..., Any],
        host: str,
        port: int,
        workers: int,
        limits: Limits,
    ) -> None:
        self._limits = limits
        self._sockets: Dict[int, Any] = {}  # waitress's listeners and connections by descriptor
        self._ending = threading.Event()  # no connection gets another request
        logging.getLogger('waitress').setLevel(logging.ERROR)  # it warns of each waiting request
        try:
            self._waitress = waitress.create_server(
                application,
                map=self._sockets,
                host=host,
                port=port,
                threads=workers + limits.queue + _SPARE,
                max_request_body_size=limits.body,
                max_request_header_size=HEADER_BYTES,
                channel_timeout=IDLE_SECONDS,
                cleanup_interval=5,
                connection_limit=CONNECTIONS,
                asyncore_use_poll=True,
                clear_untrusted_proxy_headers=True,
                ident=None,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, 'strerror', None) or error
            raise Pix2PixError(
                f'cannot listen on {host}:{port} ({reason}): choose another `host` or `port`'
            ) from error
        for listener in self._listeners():  # several if the host has several addresses
            listener.channel_class = _Connection
            listener.limits, listener.ending = limits, self._ending
        self.port = self._listeners()[0].effective_port

    def _listeners(self):
        return [one for one in self._sockets.values() if hasattr(one, 'active_channels')]

    def run(self, stop: threading.Event) -> None:
        """Answers requests until `stop` is set; then finishes those that have arrived."""
        while not stop.is_set():
            self._turn()
        self._ending.set()
        connections = [one for one in self._sockets.values() if isinstance(one, _Connection)]
        for listener in self._listeners():
            wasyncore.dispatcher.close(listener)  # its own `close` also closes what wakes the loop
        # Clients that have just got a response may be about to send their next request
        grace = time.monotonic() + _GRACE_SECONDS
        end = time.monotonic() + self._limits.seconds
        while time.monotonic() < grace or (
            any(one.is_busy() for one in connections) and time.monotonic() < end
        ):
            self._turn()
        self._waitress.task_dispatcher.shutdown()
        wasyncore.close_all(self._sockets)

    def _turn(self):
        wasyncore.loop(timeout=0.2, use_poll=True, map=self._sockets, count=1)


class _ErrorTask(task.ErrorTask):
    """Answers a request that waitress rejects, in JSON."""

    def execute(self):
        error = self.request.error
        body = json.dumps({'error': str(error.body)}).encode()
        self.status = f'{error.code} {error.reason}'
        self.response_headers += [('Content-Type', 'application/json'), ('Connection', 'close')]
        self.close_on_finish = True
        self.content_length = len(body)
        self.write(body)


class _Task(task.WSGITask):
    """Answers a request; during the shutdown, its response closes the connection."""

    def build_response_header(self):
        if self.channel.server.ending.is_set():
            self.request.headers['CONNECTION'] = 'close'
        return super().build_response_header()


class _Connection(channel.HTTPChannel):
    """A connection, which is closed if a request takes too long to arrive.

    waitress itself closes only those on which nothing arrives for a while.
    """

    task_class = _Task
    error_task_class = _ErrorTask
    _began = None  # when the incomplete request began to arrive

    def received(self, data):
        result = super().received(data)
        if self.request is None:
            self._began = None
        elif self._began is None:
            self._began = time.monotonic()
        return result

    def readable(self):
        request = self.request
        if self._began is not None and request is not None:
            limits = self.server.limits
            most = limits.body_seconds if request.headers_finished else limits.header_seconds
            if time.monotonic() > self._began + most:
                self.will_close = True
        return super().readable()

    def is_busy(self):
        """Whether a request or a response is under way."""
        unsent = self.requests or self.request or self.total_outbufs_len
        return self.connected and bool(unsent)
