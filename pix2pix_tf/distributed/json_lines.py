"""Messages between processes: lines of JSON over TCP; an empty line is a sign of life."""

import json
import socket
import typing

from pix2pix_tf.system.errors import Pix2PixError

_LONGEST = 65536  # bytes of a line

Message = typing.Dict[str, typing.Any]


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on `host`, a name or an address.

    Raises:
        Pix2PixError: it cannot; the message names the port.
    """
    try:
        listener = socket.socket(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0])
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(16)
    except (OSError, UnicodeError) as error:  # the latter for names such as a..b
        words = getattr(error, 'strerror', None) or error
        raise Pix2PixError(
            f'cannot listen on {host}:{port} ({words}): give each of `workers` an address '
            'of its own machine, with two free ports in a row'
        ) from error
    return listener


def send(connection: socket.socket, message: Message) -> None:
    """Sends a message; an empty one is a sign of life."""
    connection.sendall((json.dumps(message) if message else '').encode() + b'\n')


def receive(lines: typing.BinaryIO) -> typing.Optional[Message]:
    """The next message of a connection's file; None at its end.

    Raises:
        OSError: the connection is lost, or its time is over.
        ValueError: what came is no message.
    """
    line = lines.readline(_LONGEST)
    if not line:
        return None
    message = json.loads(line) if line.strip() else {}
    if not isinstance(message, dict):
        raise ValueError(f'no message: {message}')
    return message
