"""A server of the tests' own, and real clients for it."""

import contextlib
import http.client
import json
import re
import socket
import threading
import typing

from support.encoding import encoded
from support.forking import Forked
from support.helpers import command_environment, command_line, pair_pixels, wait_for


class Answer(typing.NamedTuple):
    """What a server said."""

    status: int
    headers: typing.Any
    body: bytes

    def json(self):
        return json.loads(self.body.decode())


class Server(typing.NamedTuple):
    """A running `pix2pix-serve`."""

    process: Forked
    port: int

    @property
    def url(self):
        return f'http://127.0.0.1:{self.port}'

    def ask(self, path, body=None, **headers):
        """An Answer: to a POST with `body`, or to a GET."""
        with contextlib.closing(self.connect()) as connection:
            return ask(connection, path, body, **headers)

    def connect(self):
        return http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)

    def send(self, raw, timeout=20):
        """What comes back on a connection of its own for the bytes of a request."""
        with socket.create_connection(('127.0.0.1', self.port), timeout=timeout) as connection:
            received = b''
            with contextlib.suppress(OSError):  # it may close before it has all
                connection.sendall(raw)
                connection.shutdown(socket.SHUT_WR)
                for data in iter(lambda: connection.recv(65536), b''):
                    received += data
            return received


def ask(connection, path, body=None, **headers):
    """The same on a connection that is kept."""
    connection.request('GET' if body is None else 'POST', path, body, headers)
    return read(connection)


def read(connection):
    """The Answer to the request that was sent last."""
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


def end(process):
    """Waits for the end of a server that was told to end."""
    _, errors = process.communicate()
    assert process.returncode == 0 and 'Traceback' not in errors, (process.returncode, errors)


@contextlib.contextmanager
def served(model, *flags):
    """A Server for `model` on a free port; it is stopped at the end, and must then exit with 0."""
    args = command_line('serve', f'--model={model}', '--port=0', *flags)[1:]
    process = Forked(args, command_environment())
    try:
        line = wait_for(process, ' at http://')
        yield Server(process, int(re.search(r':(\d+)/', line).group(1)))
        if process.returncode is None:
            process.terminate()
            end(process)
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()


def together(count, work):
    """The results of `work(0)`, ..., each in a thread; an error in one of them is raised."""
    results = [None] * count

    def run(number):
        try:
            results[number] = work(number)
        except BaseException as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def png(seed=1, width=64, height=64):
    """The bytes of a PNG file."""
    return encoded(pair_pixels(seed, width, height))
