"""Connections whose requests take too long to arrive are closed."""

import socket
import threading
import time

import pytest
from support.clients import Server
from werkzeug.wrappers import Response

from pix2pix_tf.serve import server
from pix2pix_tf.serve.image_request import Limits


@pytest.fixture
def fast():
    """A server that waits for one second, without a generator."""
    limits = Limits(header_seconds=1, body_seconds=1.5, queue=0)
    listening = server.Server(Response('hello'), '127.0.0.1', 0, 1, limits)
    stop = threading.Event()
    thread = threading.Thread(target=listening.run, args=(stop,))
    thread.start()
    yield Server(None, listening.port)
    stop.set()
    thread.join()


@pytest.mark.parametrize(
    'start', [b'GET / HTTP/1.1\r\nHost: x', b'POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\n']
)
def test_a_client_that_sends_single_bytes_is_disconnected(fast, start):
    with socket.create_connection(('127.0.0.1', fast.port)) as connection:
        began = time.monotonic()
        connection.sendall(start)
        with pytest.raises(ConnectionError):
            while time.monotonic() - began < 14:  # less than a server without these limits waits
                connection.sendall(b'x')
                time.sleep(0.1)
                assert fast.ask('/').body == b'hello'
        assert time.monotonic() - began > 0.9
