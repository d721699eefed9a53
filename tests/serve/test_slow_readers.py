"""Clients that do not take their responses, and requests that wait behind others."""

import contextlib
import socket
import threading
import time

import pytest
from support.clients import Server
from support.forking import DEADLINE
from support.helpers import wait_until

from pix2pix_tf.serve import server
from pix2pix_tf.serve.image_request import Limits

LARGE = 2**25  # bytes of a response: more than the operating system keeps for a client
GET = b'GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n'
NEVER = 3600  # seconds


def respond(environ, start_response):
    path = environ['PATH_INFO']
    if path == '/slow':
        time.sleep(1.5)
    body = b'x' * LARGE if path == '/large' else b'hello'
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]


@contextlib.contextmanager
def running(**limits):
    """A server.Server without a generator, in a thread."""
    listening = server.Server(respond, '127.0.0.1', 0, 1, Limits(queue=0, **limits))
    stop = threading.Event()
    thread = threading.Thread(target=listening.run, args=(stop,))
    thread.start()
    try:
        yield listening
    finally:
        stop.set()
        thread.join(DEADLINE)
        assert not thread.is_alive()


@contextlib.contextmanager
def unread(listening, count=1):
    """So many connections that ask for two large responses and take nothing."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(connected(listening))
            connection.sendall(2 * (GET % b'large'))
        yield


def connected(listening):
    return socket.create_connection(('127.0.0.1', listening.port), timeout=DEADLINE)


def test_clients_that_take_nothing_do_not_block_others(monkeypatch):
    monkeypatch.setattr(server, '_STALLED_SECONDS', 0)
    with running(idle_seconds=NEVER) as listening, unread(listening, 9):  # one for each thread
        wait_until(
            lambda: sum(one.total_outbufs_len > 0 for one in listening._connections()) == 9,
            'nine responses',
        )
        assert Server(None, listening.port).ask('/').body == b'hello'


def test_a_client_that_takes_nothing_is_disconnected(monkeypatch):
    closed, close = threading.Event(), server._Connection.handle_close
    monkeypatch.setattr(
        server._Connection, 'handle_close', lambda self: (close(self), closed.set())
    )
    with running(idle_seconds=0.5) as listening, unread(listening):
        assert closed.wait(DEADLINE)


def test_a_shutdown_does_not_wait_for_a_client_that_takes_nothing(monkeypatch):
    monkeypatch.setattr(server, '_STALLED_SECONDS', 0.5)
    limits = {'idle_seconds': NEVER, 'seconds': NEVER}
    with contextlib.ExitStack() as clients, running(**limits) as listening:
        clients.enter_context(unread(listening))
        wait_until(
            lambda: any(one.total_outbufs_len for one in listening._connections()), 'a response'
        )


def test_pipelined_requests_get_their_responses_in_order():
    paths = [b'large', b'small', b'small', b'large', b'small']
    with running() as listening, connected(listening) as connection:
        connection.sendall(b''.join(GET % path for path in paths))
        file = connection.makefile('rb')
        for path in paths:
            assert file.readline() == b'HTTP/1.1 200 OK\r\n'
            header = b''.join(iter(file.readline, b'\r\n'))
            length = LARGE if path == b'large' else 5
            assert b'Content-Length: %d\r\n' % length in header
            assert len(file.read(length)) == length


def test_a_header_may_wait_in_part_while_an_earlier_request_computes():
    with running(header_seconds=0.3) as listening, connected(listening) as connection:
        connection.sendall(GET % b'slow' + b'GET /small HTTP/1.1\r\nHo')
        assert connection.recv(100).startswith(b'HTTP/1.1 200 OK')


def test_empty_lines_are_no_request():
    limits = {'header_seconds': 0.5, 'idle_seconds': NEVER}
    with running(**limits) as listening, connected(listening) as connection:
        end = time.monotonic() + DEADLINE
        with pytest.raises(ConnectionError):
            while time.monotonic() < end:
                connection.sendall(b'\r\n')
                time.sleep(0.05)


@pytest.mark.parametrize(
    'request_',
    [
        b'POST / HTTP/1.1\r\nContent-Length: ' + b'9' * 5000 + b'\r\n\r\n',
        b'GET http://[ HTTP/1.1\r\n\r\n',
    ],
)
def test_a_header_that_python_cannot_read_is_an_error_of_the_client(request_, capfd):
    with running() as listening:
        answer = Server(None, listening.port).send(request_)
    assert answer[9:12] in (b'400', b'413') and b'{"error": ' in answer
    assert capfd.readouterr().err == ''
