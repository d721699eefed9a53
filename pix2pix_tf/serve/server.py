"""The application on waitress: bounded in time and connections, until a signal ends it."""

import ipaddress
import json
import logging
import threading
import time
import typing

import waitress
from waitress import channel, task, wasyncore

from pix2pix_tf.serve.incoming import Limits
from pix2pix_tf.system.errors import Pix2PixError

IDLE_SECONDS = 30  # after which a connection without a request is closed
HEADER_BYTES = 32 * 2**10
CONNECTIONS = 500
_GRACE_SECONDS = 0.5
_SPARE = 8  # threads for requests that need no generator, among them those that are refused

Map = typing.Dict[int, typing.Any]  # waitress's connections by file descriptor


class _ErrorTask(task.ErrorTask):
    """Answers a request that waitress refuses, in JSON."""

    def execute(self):
        error = self.request.error
        body = json.dumps({'error': str(error.body)}).encode()
        self.status = f'{error.code} {error.reason}'
        self.response_headers += [('Content-Type', 'application/json'), ('Connection', 'close')]
        self.close_on_finish = True
        self.content_length = len(body)
        self.write(body)


class _Task(task.WSGITask):
    """Answers a request; the last one of a connection once the server ends."""

    def build_response_header(self):
        if self.channel.ending.is_set():
            self.request.headers['CONNECTION'] = 'close'
        return super().build_response_header()


class _Channel(channel.HTTPChannel):
    """A connection; one whose request takes too long to arrive is closed.

    waitress itself closes only those that send nothing for a while.
    """

    task_class = _Task
    error_task_class = _ErrorTask
    limits = Limits()
    ending = threading.Event()
    _began = None  # when the request that has partly arrived did

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
            limits = self.limits
            most = limits.body_seconds if request.headers_finished else limits.header_seconds
            if time.monotonic() > self._began + most:
                self.will_close = True
        return super().readable()


class Server(typing.NamedTuple):
    """A server that listens."""

    map: Map
    waitress: typing.Any
    port: int
    ending: threading.Event  # no connection gets another request


def listen(
    application: typing.Callable[..., typing.Any],
    host: str,
    port: int,
    workers: int,
    limits: Limits,
) -> Server:
    """A Server for `application`; port 0 stands for a free one. `run` answers requests.

    `workers` is the number of threads that compute.

    Raises:
        Pix2PixError: the address cannot be used.
    """
    connections: Map = {}
    ending = threading.Event()
    logging.getLogger('waitress').setLevel(logging.ERROR)  # it warns of every request that waits
    try:
        server = waitress.create_server(
            application,
            map=connections,
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
        words = getattr(error, 'strerror', None) or error
        raise Pix2PixError(
            f'cannot listen on {host}:{port} ({words}): choose another `host` or `port`'
        ) from error
    for listener in _listeners(connections):
        listener.channel_class = type('Channel', (_Channel,), {'limits': limits, 'ending': ending})
    port = _listeners(connections)[0].effective_port
    return Server(connections, server, port, ending)


def _listeners(connections):
    return [one for one in connections.values() if hasattr(one, 'active_channels')]


def run(server: Server, stop: threading.Event, seconds: float) -> None:
    """Answers requests until `stop` is set; then finishes those that it has, within `seconds`."""
    while not stop.is_set():
        _turn(server)
    server.ending.set()
    listeners = _listeners(server.map)
    channels = [one for one in server.map.values() if isinstance(one, _Channel)]
    for listener in listeners:
        wasyncore.dispatcher.close(listener)  # but not what wakes the loop
    # Clients that have just got an answer may be about to send their next request
    least, most = time.monotonic() + _GRACE_SECONDS, time.monotonic() + seconds
    while time.monotonic() < least or (
        any(_is_busy(one) for one in channels) and time.monotonic() < most
    ):
        _turn(server)
    server.waitress.task_dispatcher.shutdown()
    wasyncore.close_all(server.map)


def _turn(server):
    wasyncore.loop(timeout=0.2, use_poll=True, map=server.map, count=1)


def _is_busy(connection):
    unsent = connection.requests or connection.request or connection.total_outbufs_len
    return connection.connected and bool(unsent)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'
