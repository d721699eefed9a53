"""Malformed requests: the server returns an error or nothing, and keeps running."""

import os
import random
import re

import pytest
from support.clients import ask, served
from support.encoding import encoded
from support.helpers import pair_pixels


@pytest.fixture(scope='module')
def server(trained_small, graph_mode):
    with served(trained_small) as server:
        yield server


@pytest.mark.parametrize('count', [60, pytest.param(500, marks=pytest.mark.slow)])
def test_mutated_images_are_rejected_or_computed(server, count):
    rng = random.Random(1)
    images = encoded(pair_pixels(1, 64, 64), 'PNG'), encoded(pair_pixels(1, 64, 64), 'JPEG')
    connection = server.connect()
    for number in range(count):
        body = bytearray(images[number % 2])
        for _ in range(rng.randint(1, 8)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        if rng.random() < 0.3:
            del body[rng.randrange(len(body)) :]
        answer = ask(connection, '/predict', bytes(body))
        assert answer.status in (200, 400, 413, 415), (number, answer)
        assert answer.status == 200 or list(answer.json()) == ['error']


def malformed():
    """Fifty malformed requests."""
    post = b'POST /predict HTTP/1.1\r\nHost: localhost\r\n'
    rest = b'POST /v1/models/%s:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s'
    yield from (
        b'\r\n\r\n',
        b'\0' * 100,
        b'GET',
        b'GET /',
        b'GET / HTTP/9.9\r\n\r\n',
        b'\xff\r\n\r\n',
    )
    yield from (b'FROB / HTTP/1.1\r\n\r\n', b'GET /../../etc/passwd HTTP/1.1\r\n\r\n')
    yield b'GET / HTTP/1.1\r\nHost: a b\r\n\r\n'
    yield b'GET / HTTP/1.1\r\nX: ' + b'x' * 100000 + b'\r\n\r\n'
    yield b'GET /%00%ff%fe HTTP/1.1\r\nHost: localhost\r\n\r\n'
    yield b'GET /examples/99999999999999999999.png HTTP/1.1\r\nHost: localhost\r\n\r\n'
    for length in (b'-1', b'x', b'1e3', b'99999999999999999999', b'30000000', b'5, 6', b'\xb2'):
        yield post + b'Content-Length: ' + length + b'\r\n\r\nabc'
    yield post + b'Content-Length: 10\r\n\r\nabc'
    for chunks in (b'zz\r\n', b'5\r\nab', b'-5\r\nabcde\r\n', b'ffffffffffff\r\nab', b'0\r\n\r\n'):
        yield post + b'Transfer-Encoding: chunked\r\n\r\n' + chunks
    yield post + b'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'
    yield post + b'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
    for kind in (
        b'multipart/form-data',
        b'multipart/form-data; boundary=',
        b'multipart/x; boundary=b',
    ):
        yield post + b'Content-Type: ' + kind + b'\r\nContent-Length: 9\r\n\r\n--b\r\n\r\n\r\n'
    for query in (
        b'seed=-1',
        b'seed=x',
        b'seed=99999999999',
        b'fit=no',
        b'seed=%F0%9F',
        b'seed=1&fit',
    ):
        yield post.replace(b'/predict', b'/predict?' + query) + b'Content-Length: 3\r\n\r\nabc'
    bodies = [
        b'',
        b'{',
        b'[]',
        b'null',
        b'1',
        b'"x"',
        b'{}',
        b'{"instances": []}',
        b'\xff\xfe',
        b'[' * 99999,
    ]
    bodies += [
        b'{"instances": {"a": 1}}',
        b'{"inputs": [{"b64": 5}]}',
        b'{"instances": [{"b64": "!"}]}',
    ]
    bodies += [b'{"instances": [1], "inputs": [1]}', b'{"instances": [1], "signature_name": []}']
    bodies += [b'{"instances": [[[1]]], "signature_name": "floats"}', b'{"instances": [NaN]}']
    for body in bodies:
        yield rest % (b'NAME', len(body), body)


def test_malformed_requests_get_an_error(server, trained_small):
    requests = list(malformed())
    assert len(requests) >= 50
    name = os.path.basename(trained_small).encode()
    for request in requests:
        answer = server.send(request.replace(b'NAME', name))
        status = re.match(rb'HTTP/1.[01] (\d+)', answer)
        code = int(status.group(1)) if status else 0
        assert not answer or code in (200, 501) or 400 <= code < 500, (request[:200], answer[:300])
        assert b'Traceback' not in answer
        if code not in (0, 200):
            assert b'{"error": ' in answer, (request[:200], answer)
    assert server.ask('/healthz').status == 200
