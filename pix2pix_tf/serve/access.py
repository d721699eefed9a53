"""Who can reach the server: its address, the Host header, the origin of a page, and the token."""

import hmac
import ipaddress
import re
import urllib.parse
from typing import Dict, NamedTuple, Optional, Tuple

from werkzeug import exceptions
from werkzeug.wrappers import Request

from pix2pix_tf.system.errors import UsageError, with_flags

_NAME = re.compile(r'(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?')
_ORIGIN = re.compile(r'([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:[0-9]+)?')
_DEFAULT_PORTS = {'http': ':80', 'https': ':443'}  # which browsers leave out


class Access(NamedTuple):
    """Where the server listens, and which requests it accepts."""

    host: str = '127.0.0.1'  # address to listen on
    port: int = 8000  # 0: a free one
    names: Tuple[str, ...] = ()  # of this server, besides `host`, localhost and IP addresses
    token: Optional[str] = None
    origins: Tuple[str, ...] = ()  # of other pages that are allowed, such as https://example.org
    frame: str = "'none'"  # the origin of a page that may show ours in a frame

    def allows_origin(self, origin: str) -> bool:
        """Whether pages of another origin may use the server."""
        return origin in self.origins or '*' in self.origins


def read_name(name: str) -> str:
    """A name of this server as the Host header has it; it may begin with '*.'.

    Raises:
        UsageError: no Host header can have it.
    """
    if not _NAME.fullmatch(name.lower()):
        raise UsageError(
            f'`names` has {name or "an empty name"}: a name is like gpu.example.org or '
            '*.example.org, in ASCII, without scheme, port and path'
        )
    return name.lower().rstrip('.')


def read_origin(origin: str, option: str) -> str:
    """An origin as the Origin header has it. `option` is where it was given.

    Raises:
        UsageError: no Origin header can have it.
    """
    match = _ORIGIN.fullmatch(origin.lower())
    if not match:
        raise UsageError(
            f'`{option}` has {origin or "an empty origin"}: an origin is like https://example.org, '
            'without a path'
        )
    scheme, host, port = match.groups()
    return f'{scheme}://{host}' + ('' if port in (None, _DEFAULT_PORTS.get(scheme)) else port)


def check_host(request: Request, access: Access) -> None:
    """Rejects requests to a name that is not one of this server.

    Another page can point its own host name to 127.0.0.1 (DNS rebinding). A browser then treats
    this server as that page's server, but sends its host name. IP addresses cannot be redirected.

    Raises:
        Forbidden: the Host header has another name.
    """
    host = request.headers.get('Host', '')
    names = {'localhost', access.host.lower(), *(name.lower() for name in access.names)}
    name = _without_port(host)
    wildcards = tuple(one[1:] for one in names if one.startswith('*.'))
    if not host or name in names or name.endswith(wildcards):
        return
    try:
        ipaddress.ip_address(name.strip('[]'))
    except ValueError as error:
        raise exceptions.Forbidden(
            with_flags(f'{host[:80]} is not a name of this server: allow it with `names`')
        ) from error


def _without_port(host):
    name, colon, port = host.lower().rpartition(':')
    return (name if colon and port.isdecimal() else host.lower()).rstrip('.')


def check_origin(request: Request, access: Access) -> None:
    """Rejects requests from pages of other origins.

    Raises:
        Forbidden: the page is not from this server, and its origin is not in `access.origins`.
    """
    origin = request.headers.get('Origin')
    if origin is None or access.allows_origin(origin):
        return
    try:
        host = urllib.parse.urlsplit(origin).netloc.lower()
    except ValueError:
        host = None
    if host != request.headers.get('Host', '').lower():
        raise exceptions.Forbidden(
            with_flags('requests from other origins are not allowed: see `cors`')
        )


def check_token(request: Request, access: Access) -> None:
    """Rejects requests without the token, if the server has one.

    Raises:
        Unauthorized: the header Authorization is not "Bearer" and the token.
    """
    if access.token is None:
        return
    scheme, _, given = request.headers.get('Authorization', '').partition(' ')
    is_right = hmac.compare_digest(
        given.strip(' ').encode('utf-8', 'replace'), access.token.encode()
    )
    if scheme.lower() != 'bearer' or not is_right:
        raise exceptions.Unauthorized('the token is missing or wrong')


def cors_headers(request: Request, access: Access) -> Dict[str, str]:
    """The headers that let pages of `access.origins` read a response."""
    origin = request.headers.get('Origin')
    if origin is None or not access.allows_origin(origin):
        return {}
    return {
        'Access-Control-Allow-Origin': origin,
        'Access-Control-Allow-Methods': 'GET, POST',
        'Access-Control-Allow-Headers': 'Authorization, Content-Encoding, Content-Type',
        'Access-Control-Expose-Headers': 'X-Input, X-Seed, X-Step, Retry-After',
        'Access-Control-Max-Age': '600',
        'Vary': 'Origin',
    }
