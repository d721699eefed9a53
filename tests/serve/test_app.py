"""The endpoints, without a network."""

import base64
import contextlib
import gzip
import io
import json
import os
import re
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image
from support.clients import png
from support.encoding import encoded
from support.helpers import pair_pixels, wait_until
from werkzeug.test import Client, EnvironBuilder
from werkzeug.wrappers import Response

import pix2pix_tf
from pix2pix_tf.inference.trained import find
from pix2pix_tf.pairs import draw
from pix2pix_tf.serve import canvas
from pix2pix_tf.serve.access import Access
from pix2pix_tf.serve.app import Application
from pix2pix_tf.serve.hot_reload import CurrentGenerator
from pix2pix_tf.serve.image_request import Limits
from pix2pix_tf.serve.job_queue import JobQueue

LIMITS = Limits(body=2 * 10**6, pixels=10**6, whole_pixels=4 * 256**2, queue=1)


@pytest.fixture(scope='module')
def create(trained, graph_mode):
    """A function that returns a client of the application for `trained`."""
    current = CurrentGenerator(trained)
    drawing = canvas.prepare(find(trained))
    jobs = JobQueue(1, LIMITS.queue, 60)

    def create(access=Access(), jobs=jobs, limits=LIMITS, drawing=drawing):
        return Client(Application('m', current, drawing, jobs, limits, access), Response)

    yield create
    jobs.close()
    current.generator.close()


@pytest.fixture(scope='module')
def client(create):
    return create()


@pytest.fixture(scope='module')
def generator(trained, graph_mode):
    with pix2pix_tf.load(trained) as generator:
        yield generator


def b64(contents):
    return {'b64': base64.b64encode(contents).decode()}


def error_of(response):
    assert list(response.json) == ['error']
    return response.status_code, response.json['error']


def test_an_image_is_the_body_or_part_of_a_form(client, generator):
    expected = generator.encode(generator(pair_pixels(1, 64, 64), seed=3))
    response = client.post('/predict?seed=3', data=png())
    assert (response.mimetype, response.headers['X-Seed']) == ('image/png', '3')
    assert response.headers['X-Step'] == '2'
    assert response.data == expected
    form = {'file': (io.BytesIO(png()), 'photo.png')}
    assert client.post('/predict?seed=3', data=form).data == expected
    curl = {'Content-Type': 'application/x-www-form-urlencoded'}  # the default of curl
    assert client.post('/predict?seed=3', data=png(), headers=curl).data == expected


def test_of_a_pair_the_input_half_is_used(create, trained, tmp_path):
    draw.write_pairs(str(tmp_path), 4, seed=1)
    drawing = canvas.prepare(find(trained, direction='BtoA'), str(tmp_path))
    client = create(drawing=drawing)
    path = next(path for path in tmp_path.iterdir() if path.suffix in ('.png', '.jpg'))
    pair = np.asarray(Image.open(str(path)).convert('RGB'))
    response = client.post('/predict?seed=3', data=encoded(pair))
    assert response.headers['X-Input'] == 'the right half: the image is a pair'
    half = client.post('/predict?seed=3', data=encoded(pair[:, 256:]))
    assert 'X-Input' not in half.headers and half.data == response.data
    photos = client.post('/predict?seed=3', data=encoded(pair[:, ::-1]))
    assert 'X-Input' not in photos.headers


def test_parameters_may_be_fields_of_the_form(client, generator):
    expected = generator.encode(generator(pair_pixels(1, 64, 64), seed=3, fit='whole'))

    def post(address, **fields):
        return client.post(address, data=dict(fields, file=(io.BytesIO(png()), 'photo.png')))

    for address, fields in (
        ('/predict', {'seed': '3', 'fit': 'whole'}),
        ('/predict?fit=whole', {'seed': '3'}),
        ('/predict?fit=whole&seed=3', {'seed': '3'}),
    ):
        response = post(address, **fields)
        assert (response.headers['X-Seed'], response.data == expected) == ('3', True)
    assert error_of(post('/predict', seed='3000000000'))[0] == 400
    assert error_of(post('/predict?seed=3', seed='4')) == (400, 'seed has several values: send one')


@pytest.mark.parametrize(
    'address, fields, words',
    [
        ('/predict?sed=3', {}, 'there is no parameter sed: the parameters are seed, fit, '),
        ('/predict', {'Seed': '3'}, 'there is no parameter Seed: the parameters are seed, fit, '),
        ('/predict', {'b': 2}, 'the form has 2 files: send one at a time'),
    ],
)
def test_what_predict_does_not_know_is_an_error(client, address, fields, words):
    data = {'a': (io.BytesIO(png()), 'a.png')}
    for name, value in fields.items():
        data[name] = (io.BytesIO(png()), 'b.png') if value == 2 else value
    status, message = error_of(client.post(address, data=data))
    assert (status, words in message) == (400, True)


def test_a_body_may_be_compressed(client):
    expected = client.post('/predict?seed=3', data=png()).data
    headers = {'Content-Encoding': 'gzip'}

    def post(body, path='/predict?seed=3', **changes):
        return client.post(path, data=body, headers=dict(headers, **changes))

    assert post(gzip.compress(png())).data == expected
    form = {'file': (io.BytesIO(png()), 'photo.png')}
    environ = EnvironBuilder(method='POST', data=form).get_environ()
    body = gzip.compress(environ['wsgi.input'].read())
    assert post(body, **{'Content-Type': environ['CONTENT_TYPE']}).data == expected
    rows = json.dumps({'instances': [b64(png())], 'signature_name': 'serving_default'}).encode()
    assert post(gzip.compress(rows), '/v1/models/m:predict').status_code == 200
    assert error_of(post(png())) == (400, 'the body is not gzip, as its Content-Encoding says')
    half = gzip.compress(png())[:-9]
    assert error_of(post(half)) == (400, 'the body must be one whole gzip stream')
    bomb = gzip.compress(bytes(LIMITS.body + 1))
    assert len(bomb) < 10**4 and error_of(post(bomb)) == (413, 'the body is too long')
    answer = error_of(client.post('/predict', data=b'', headers={'Content-Encoding': 'br'}))
    assert answer == (415, 'the Content-Encoding is br: send gzip, or the body as it is')


def test_without_a_seed_the_response_has_a_random_one(client):
    response = client.post('/predict', data=png())
    again = client.post(f'/predict?seed={response.headers["X-Seed"]}', data=png())
    assert again.data == response.data != client.post('/predict', data=png()).data


def test_without_dropout_there_is_no_seed(trained):
    with contextlib.closing(JobQueue(1, 1, 60)) as jobs:
        current, drawing = CurrentGenerator(trained, dropout=0.0), canvas.prepare(find(trained))
        client = Client(Application('m', current, drawing, jobs, LIMITS, Access()), Response)
        first, second = (client.post('/predict', data=png()) for _ in range(2))
        assert first.data == second.data and 'X-Seed' not in first.headers
        words = 'seed has no effect: this model runs without dropout'
        assert error_of(client.post('/predict?seed=3', data=png())) == (400, words)
        assert client.get('/model.json').json['noise'] is False
        metadata = client.get('/v1/models/m/metadata').json['metadata']
        assert set(metadata['signature_def']['signature_def']) == {'serving_default', 'floats'}
        request = {
            'signature_name': 'seeded',
            'instances': [{'image_bytes': b64(png()), 'seed': 1}],
        }
        answer = client.post('/v1/models/m:predict', data=json.dumps(request))
        assert error_of(answer) == (400, 'signature_name must be one of serving_default, floats')
        current.generator.close()


def test_fit_whole_keeps_the_size(client):
    response = client.post('/predict?fit=whole', data=png(1, 300, 70))
    assert Image.open(io.BytesIO(response.data)).size == (300, 70)


def bomb(width, height):
    """A PNG file with a header of this size, but without pixels."""
    chunk = b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    header = b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + chunk
    return header + struct.pack('>II', zlib.crc32(chunk), 100) + b'IDAT' + b'x' * 104


@pytest.mark.parametrize(
    'address, body, status, words',
    [
        ('/predict', b'', 400, 'no image'),
        ('/predict', b'text', 415, 'JPEG, PNG'),
        ('/predict', b'%!PS-Adobe-3.0 EPSF-3.0', 415, 'JPEG, PNG'),
        ('/predict', bomb(60000, 60000), 413, 'more than 1000000 pixels'),
        ('/predict', bomb(2000, 501), 413, 'more than 1000000 pixels'),
        ('/predict?fit=whole', png(1, 1030, 20), 413, 'more than 262144 pixels'),
        ('/predict', b'x' * 2000001, 413, 'too long'),
        ('/predict?seed=-1', png(), 400, 'seed'),
        ('/predict?seed=²', png(), 400, 'seed'),
        ('/predict?seed=٣', png(), 400, 'seed'),
        ('/predict?seed=3000000000', png(), 400, 'seed'),
        ('/predict?fit=half', png(), 400, 'fit'),
        ('/v1/models/m:predict', b'{', 400, 'not JSON'),
        ('/v1/models/other:predict', b'{}', 404, 'no model other'),
        ('/v1/models/m/versions/77:predict', b'{}', 404, 'no version 77'),
    ],
)
def test_invalid_requests_are_rejected(client, address, body, status, words):
    got, error = error_of(client.post(address, data=body))
    assert got == status and words in error


def test_fit_whole_has_both_limits(create):
    client = create(limits=LIMITS._replace(pixels=2500))
    assert client.post('/predict?fit=whole', data=png(1, 50, 50)).status_code == 200
    status, words = error_of(client.post('/predict?fit=whole', data=png(1, 52, 50)))
    assert (status, words) == (413, 'the image has more than 2500 pixels: scale it down')


def test_unknown_methods_and_addresses(client):
    response = client.get('/predict')
    assert error_of(response)[0] == 405 and response.headers['Allow'] == 'POST'
    assert error_of(client.get('/nothing'))[0] == 404
    assert error_of(client.get('/examples/99.png'))[0] == 404
    # Another model may have another image at this address
    assert client.get('/examples/0.png').headers['Cache-Control'] == 'no-cache'
    assert client.head('/healthz').status_code == 200


def rest(client, **request):
    response = client.post('/v1/models/m:predict', json=request)
    assert response.status_code == 200, response.data
    return response.json


def test_tensorflow_serving_in_rows_and_columns(client, generator):
    images = [png(1), png(2)]
    expected = [
        b64(generator.encode(generator(pair_pixels(n, 64, 64), seed=n + 4))) for n in (1, 2)
    ]
    rows = [{'image_bytes': b64(image), 'seed': n + 5} for n, image in enumerate(images)]
    got = rest(client, signature_name='seeded', instances=rows)
    assert got == {'predictions': expected}
    columns = {'image_bytes': [b64(image) for image in images], 'seed': [5, 6]}
    assert rest(client, signature_name='seeded', inputs=columns) == {'outputs': expected}
    # A single input and a single output need no name
    for instance in (b64(images[0]), {'image_bytes': b64(images[0])}):
        [prediction] = rest(client, instances=[instance])['predictions']
        decoded = Image.open(io.BytesIO(base64.b64decode(prediction['b64'])))
        assert decoded.size == (256, 256)
    [output] = rest(client, inputs=b64(images[0]))['outputs']
    assert list(output) == ['b64']


def test_base64_may_be_wrapped_or_a_data_uri(client, generator):
    expected = b64(generator.encode(generator(pair_pixels(1, 64, 64), seed=5)))
    plain = b64(png())['b64']
    for text in (
        base64.encodebytes(png()).decode(),
        plain.replace('/', '/\r\n '),
        f'data:image/png;base64,{plain}',
        f'data:;base64,{base64.encodebytes(png()).decode()}',
    ):
        rows = [{'image_bytes': {'b64': text}, 'seed': 5}]
        assert rest(client, signature_name='seeded', instances=rows) == {'predictions': [expected]}
    for text, words in (
        (plain.rstrip('=')[:-1], 'b64 is not base64 ('),
        ('data:image/svg+xml,<svg/>', 'b64 is not base64 ('),
        ('ä', 'b64 is not base64 ('),
        (7, 'b64 must be a string of base64'),
    ):
        response = client.post('/v1/models/m:predict', json={'instances': [{'b64': text}]})
        status, message = error_of(response)
        assert (status, message[: len(words)]) == (400, words)


def test_tensorflow_serving_of_floats(client):
    inputs = np.round(np.random.RandomState(1).uniform(-1, 1, [1, 256, 256, 3]), 1)
    outputs = rest(client, signature_name='floats', instances=inputs.tolist())
    assert np.shape(outputs['predictions']) == (1, 256, 256, 3)
    assert np.abs(outputs['predictions']).max() <= 1


def test_tensorflow_serving_describes_the_model(client):
    for address in ('/v1/models/m', '/v1/models/m/versions/2'):
        [version] = client.get(address).json['model_version_status']
        assert (version['version'], version['state']) == ('2', 'AVAILABLE')
        metadata = client.get(address + '/metadata').json
        assert metadata['model_spec'] == {'name': 'm', 'signature_name': '', 'version': '2'}
        signatures = metadata['metadata']['signature_def']['signature_def']
        assert set(signatures) == {'serving_default', 'seeded', 'floats'}


@pytest.mark.parametrize('host', ['localhost', 'localhost:80', '127.0.0.1:1', '[::1]:8000', 'a.b'])
def test_names_of_this_server_are_accepted(create, host):
    client = create(Access(names=('A.b',)))
    assert client.get('/healthz', headers={'Host': host}).status_code == 200


def test_a_name_may_stand_for_all_names_below_it(create):
    client = create(Access(names=('*.a.b',)))
    for host, status in (
        ('x.a.b', 200),
        ('X.y.a.b:80', 200),
        ('a.b', 403),
        ('xa.b', 403),
        ('x.a.b.c', 403),
        ('*.a.b', 200),
    ):
        assert client.get('/healthz', headers={'Host': host}).status_code == status, host


def test_only_one_origin_may_show_the_page_in_a_frame(create, client):
    policy = client.get('/').headers['Content-Security-Policy']
    assert policy.endswith("; frame-ancestors 'none'")
    allowed = create(Access(frame='https://example.org'))
    policy = allowed.get('/').headers['Content-Security-Policy']
    assert policy.endswith('; frame-ancestors https://example.org')


@pytest.mark.parametrize('host', ['evil.example', 'localhost.evil.example', '127.0.0.1.x', 'a b'])
def test_other_names_are_rejected(client, host):
    assert error_of(client.get('/healthz', headers={'Host': host}))[0] == 403


def test_pages_of_other_origins_are_rejected_unless_allowed(create, client):
    origin = {'Origin': 'https://example.org', 'Host': 'localhost'}
    assert error_of(client.post('/predict', data=png(), headers=origin))[0] == 403
    damaged = {'Origin': 'http://[', 'Host': 'localhost'}
    assert error_of(client.post('/predict', data=png(), headers=damaged))[0] == 403
    same = {'Origin': 'http://localhost', 'Host': 'localhost'}
    assert client.post('/predict', data=png(), headers=same).status_code == 200
    allowed = create(Access(origins=('https://example.org',)))
    response = allowed.post('/predict', data=png(), headers=origin)
    assert response.headers['Access-Control-Allow-Origin'] == 'https://example.org'
    preflight = allowed.open('/predict', method='OPTIONS', headers=origin)
    assert preflight.status_code == 204 and preflight.headers['Access-Control-Allow-Headers']
    assert error_of(allowed.get('/', headers={'Origin': 'null', 'Host': 'localhost'}))[0] == 403


def test_a_token_protects_all_but_the_page(create):
    client = create(Access(token='secret'))
    for address in ('/', '/draw.js', '/style.css', '/healthz'):
        assert client.get(address).status_code == 200
    for address in ('/model.json', '/metrics', '/examples/0.png', '/v1/models/m'):
        for given in (None, 'Bearer', 'Bearer wrong', 'secret', 'Bearer s\xe9cret'):
            headers = {'Authorization': given} if given else {}
            response = client.get(address, headers=headers)
            assert error_of(response)[0] == 401
        for given in ('Bearer secret', 'bearer secret', 'BEARER  secret'):
            assert client.get(address, headers={'Authorization': given}).status_code == 200
    assert error_of(client.post('/predict', data=png()))[0] == 401


def test_a_full_queue_is_status_503_and_an_overdue_request_504(create):
    jobs, gate = JobQueue(1, 0, 60), threading.Event()
    client = create(jobs=jobs)
    thread = threading.Thread(target=lambda: jobs.run(lambda: gate.wait(30)), daemon=True)
    thread.start()
    wait_until(lambda: jobs._jobs, 'the job')
    response = client.post('/predict', data=png())
    assert error_of(response)[0] == 503 and response.headers['Retry-After'] == '1'
    gate.set()
    wait_until(lambda: not jobs._jobs, 'its end')
    jobs.seconds = 0.0001
    assert error_of(client.post('/predict', data=png()))[0] == 504
    assert 'pix2pix_requests_total{endpoint="predict",status="504"} 1.0' in client.get(
        '/metrics'
    ).get_data(as_text=True)
    jobs.close()


def test_a_bug_is_one_line_and_on_request_a_traceback(create, monkeypatch, capsys):
    def failing(self, request):
        raise ZeroDivisionError('a bug')

    monkeypatch.setattr(Application, '_health', failing)
    for level in ('3', '0'):
        monkeypatch.setenv('TF_CPP_MIN_LOG_LEVEL', level)
        assert error_of(create().get('/healthz')) == (500, 'the server failed: see its output')
        printed = capsys.readouterr().out
        assert printed.endswith('a request failed: ZeroDivisionError: a bug\n')
        assert ('Traceback' in printed) == (level == '0')


def test_the_page_loads_nothing_from_other_hosts():
    for name in ('index.html', 'draw.js', 'style.css'):
        with open(os.path.join(canvas.PAGE, name), encoding='utf-8') as file:
            assert re.search('https?://|@import|url\\(', file.read()) is None, name
