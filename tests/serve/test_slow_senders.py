"""Connections that take too long are closed."""

import socket
import threading
import time

import pytest
from support.clients import Server
from werkzeug.wrappers import Response

from pix2pix_tf.serve import server
from pix2pix_tf.serve.incoming import Limits


@pytest.fixture
def fast():
    """A Server that waits for one second, without a generator."""
    limits = Limits(header_seconds=1, body_seconds=1.5, queue=0)
    listening = server.listen(Response('hello'), '127.0.0.1', 0, 1, limits)
    stop = threading.Event()
    thread = threading.Thread(target=server.run, args=(listening, stop, 5))
    thread.start()
    yield Server(None, listening.port)
    stop.set()
    thread.join()


@pytest.mark.parametrize(
    'start', [b'GET / HTTP/1.1\r\nHost: x', b'POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\n']
)
def test_a_sender_of_single_bytes_is_cut_off(fast, start):
    with socket.create_connection(('127.0.0.1', fast.port)) as connection:
        began = time.monotonic()
        connection.sendall(start)
        with pytest.raises(ConnectionError):
            while time.monotonic() - began < 14:  # less than a Server without these limits waits
                connection.sendall(b'x')
                time.sleep(0.1)
                assert fast.ask('/').body == b'hello'
        assert time.monotonic() - began > 0.9
