"""JSON over TCP, a line for each message; an empty line is a heartbeat."""

import json
import socket
import typing

from pix2pix_tf.system.errors import Pix2PixError
from pix2pix_tf.system.parsing import parse_json

_LONGEST = 65536  # bytes of a line

Message = typing.Dict[str, typing.Any]


def listen(host: str, port: int) -> socket.socket:
    """Returns a socket that listens on `host`, a name or an address.

    Raises:
        Pix2PixError: the port cannot be used; the message names it.
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
            'of its machine, with two free ports in a row'
        ) from error
    return listener


def send(connection: socket.socket, message: Message) -> None:
    """Sends a message; an empty one is a heartbeat."""
    connection.sendall((json.dumps(message) if message else '').encode() + b'\n')


def receive(lines: typing.BinaryIO) -> typing.Optional[Message]:
    """The next message from the file of a connection; None at its end.

    Raises:
        OSError: the connection is lost, or timed out.
        ValueError: the line is not a valid message.
    """
    line = lines.readline(_LONGEST)
    if not line:
        return None
    message = parse_json(line) if line.strip() else {}
    if not isinstance(message, dict):
        raise ValueError(f'not a message: {message}')
    return message
