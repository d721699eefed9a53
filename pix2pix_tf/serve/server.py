"""`pix2pix-serve`: the application on waitress, with timeouts, until a signal ends it."""

import fcntl
import ipaddress
import json
import logging
import os
import struct
import sys
import termios
import threading
import time
import urllib.parse
import webbrowser
from typing import Any, Callable, Dict, Optional

import waitress
from waitress import channel, parser, task, wasyncore

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
HEADER_BYTES = 32 * 2**10
CONNECTIONS = 500
_TAKEN_BYTES = 16 * 2**10  # of a response that a client takes within `Limits.idle_seconds`
_NO_LIMIT = 2**31 - 1  # for a limit of waitress: `_Connection` has another
_GRACE_SECONDS = 0.5
_STALLED_SECONDS = 5  # after which a shutdown does not wait for a client that takes no response
_LEAVING_SECONDS = 5  # for a shutdown, after the time for its requests
_SPARE = 8  # threads for requests that need no generator, among them rejected ones


def serve(  # noqa: PLR0913 - what the command can be told
    model: str,
    name: str = 'pix2pix',
    access: Access = Access(),
    limits: Limits = Limits(),
    data: Optional[str] = None,
    watch: bool = False,
    show: bool = False,
    **changes: Any,
) -> None:
    """Serves `model` until SIGINT, SIGTERM or SIGHUP.

    `name` is that of the model in addresses, `data` a folder of training images for the page, by
    default that of the training. With `watch`, newer checkpoints are loaded as they appear. With
    `show`, a browser opens the page, if this machine has a display.
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
    most = limits.seconds + _LEAVING_SECONDS
    with signals.stopping_on_signals(log, 'finishing the requests', most) as stop:
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
        if show and _has_display():
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        server.run(stop)
        jobs.close()
        current.generator.close()


def _has_display():
    """Whether a browser can open a window here; Python would else open one in the terminal."""
    return sys.platform == 'darwin' or bool({'DISPLAY', 'WAYLAND_DISPLAY'} & set(os.environ))


def _is_loopback(host):
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'


def _address(access, port):
    """The address of the page, for people; it has the token on a terminal, but not in a log."""
    host = f'[{access.host}]' if ':' in access.host else access.host
    address = f'http://{host}:{port}/'
    if access.token is None:
        return address
    if not sys.stdout.isatty():
        return f'{address} (with #token= and the token behind it)'
    return f'{address}#token={urllib.parse.quote(access.token, safe="")}'


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
                channel_timeout=_NO_LIMIT,
                outbuf_high_watermark=_NO_LIMIT,
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
        for listener in self._listeners():
            wasyncore.dispatcher.close(listener)  # its own `close` also closes what wakes the loop
        # Clients that have just got a response may be about to send their next request
        grace = time.monotonic() + _GRACE_SECONDS
        end = time.monotonic() + self._limits.seconds
        while time.monotonic() < grace or (
            any(one.is_busy() for one in self._connections()) and time.monotonic() < end
        ):
            self._turn()
        for one in self._connections():
            one.handle_close()
        self._waitress.task_dispatcher.shutdown()
        wasyncore.close_all(self._sockets)

    def _connections(self):
        return [one for one in self._sockets.values() if isinstance(one, _Connection)]

    def _turn(self):
        for one in self._connections():
            one.check_time()
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


class _Parser(parser.HTTPRequestParser):
    """Parses a request; a header that Python cannot read is an error of the client."""

    def parse_header(self, header_plus):
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # of a number with thousands of digits, or of an address
            raise parser.ParsingError('the header is invalid') from error


class _Connection(channel.HTTPChannel):
    """A connection, which is closed if its client takes too long to send or to take something.

    No thread waits for a client: a response waits in a buffer until the client takes it, and the
    next request of this connection waits until then.
    """

    task_class = _Task
    error_task_class = _ErrorTask
    parser_class = _Parser

    def __init__(self, *arguments, **options):
        self._answered = self._began = time.monotonic()  # of responses, of incomplete requests
        self._sent = 0  # bytes
        self._progress = None  # (time, bytes the client had) when it last took some of a response
        self._is_postponed = False
        super().__init__(*arguments, **options)

    def received(self, data):
        if self._began <= self._answered:
            self._began = time.monotonic()
        return super().received(data)

    def send(self, data, do_close=True):
        sent = super().send(data, do_close)
        self._sent += sent
        return sent

    def service(self):
        if self.total_outbufs_len:
            self._is_postponed = True
            self.server.pull_trigger()
            return
        super().service()
        self._answered = time.monotonic()

    def check_time(self):
        """Closes the connection if its client is too slow; starts a request that was postponed.

        It must be called a few times a second.
        """
        now, limits = time.monotonic(), self.server.limits
        if self.total_outbufs_len:
            self._answered = now
            taken = self._sent - _not_acknowledged(self.socket)
            if self._progress is None or taken >= self._progress[1] + _TAKEN_BYTES:
                self._progress = now, taken
            if self._is_stalled(limits.idle_seconds):
                self.handle_close()
            return
        self._progress = None
        if self._is_postponed:
            self._is_postponed = False
            self.server.add_task(self)
        if self.requests:
            self._answered = now
        elif now > max(self._began, self._answered) + self._time_to_arrive(limits):
            self.handle_close()

    def _time_to_arrive(self, limits):
        """Seconds for what the client must send next. Empty lines do not begin a request."""
        if self.request is not None and self.request.headers_finished:
            return limits.body_seconds
        if self.request is not None or self._began > self._answered:
            return limits.header_seconds
        return limits.idle_seconds

    def _is_stalled(self, seconds):
        """Whether the client has taken nearly nothing of a response for so long."""
        return self._progress is not None and time.monotonic() > self._progress[0] + seconds

    def is_busy(self):
        """Whether a request or a response is under way, and the client takes part in it."""
        unsent = self.requests or self.request or self.total_outbufs_len
        return self.connected and bool(unsent) and not self._is_stalled(_STALLED_SECONDS)


def _not_acknowledged(connection):
    """The bytes in the buffers of the operating system that the client has not received."""
    try:
        return struct.unpack('i', fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))[0]
    except OSError:  # not every system can tell
        return 0
