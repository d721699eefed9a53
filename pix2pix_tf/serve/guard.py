"""Who may ask: the Host header, the origin of a page, and the token."""

import hmac
import ipaddress
import typing
import urllib.parse

from werkzeug import exceptions
from werkzeug.wrappers import Request

from pix2pix_tf.system.errors import with_flags


class Access(typing.NamedTuple):
    """Who may ask."""

    names: typing.Tuple[str, ...] = ()  # names of this server, besides localhost and addresses
    token: typing.Optional[str] = None
    origins: typing.Tuple[str, ...] = ()  # of other pages that may ask, as in https://example.org


def check_host(request: Request, access: Access) -> None:
    """Refuses a name that is not one of this server.

    A page elsewhere can point a name of its own to 127.0.0.1 (DNS rebinding). A browser then takes
    us for that page's server, but sends its name. An address as a name cannot be pointed elsewhere.

    Raises:
        Forbidden: the name is another one.
    """
    host = request.headers.get('Host', '')
    if not host or _name_of(host) in ('localhost', *(name.lower() for name in access.names)):
        return
    try:
        ipaddress.ip_address(_name_of(host).strip('[]'))
    except ValueError as error:
        raise exceptions.Forbidden(
            with_flags(f'{host[:80]} is not a name of this server: allow it with `names`')
        ) from error


def _name_of(host):
    """A Host header without its port."""
    name, colon, port = host.lower().rpartition(':')
    return (name if colon and port.isdecimal() else host.lower()).rstrip('.')


def check_origin(request: Request, access: Access) -> None:
    """Refuses requests from pages elsewhere.

    Raises:
        Forbidden: the page is not ours, and not one of `access.origins`.
    """
    origin = request.headers.get('Origin')
    if origin is None or origin in access.origins or '*' in access.origins:
        return
    try:
        host = urllib.parse.urlsplit(origin).netloc.lower()
    except ValueError:
        host = None
    if host != request.headers.get('Host', '').lower():
        raise exceptions.Forbidden(
            with_flags('pages of another origin may not ask: allow it with `cors`')
        )


def check_token(request: Request, access: Access) -> None:
    """Refuses requests without the token, if there is one.

    Raises:
        Unauthorized: the header Authorization is not "Bearer" and the token.
    """
    if access.token is None:
        return
    given = request.headers.get('Authorization', '')
    expected = f'Bearer {access.token}'
    if not hmac.compare_digest(given.encode('utf-8', 'replace'), expected.encode()):
        raise exceptions.Unauthorized('the token is missing or wrong')


def cors_headers(request: Request, access: Access) -> typing.Dict[str, str]:
    """The headers that let pages of `access.origins` read an answer."""
    origin = request.headers.get('Origin')
    if origin is None or not (origin in access.origins or '*' in access.origins):
        return {}
    return {
        'Access-Control-Allow-Origin': origin,
        'Access-Control-Allow-Methods': 'GET, POST',
        'Access-Control-Allow-Headers': 'Authorization, Content-Type',
        'Access-Control-Expose-Headers': 'X-Seed, X-Step, Retry-After',
        'Access-Control-Max-Age': '600',
        'Vary': 'Origin',
    }
