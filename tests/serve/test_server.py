"""The server in a process, with real connections."""

import contextlib
import glob
import io
import os
import re
import shutil
import socket
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image
from support.clients import Server, ask, end, png, read, served, together
from support.helpers import (
    error_line,
    fork_command,
    run_command,
    start_process,
    wait_for,
    wait_until,
)

import pix2pix_tf
from pix2pix_tf import saving
from pix2pix_tf.serve import access

SEED = 7


@pytest.fixture(scope='module')
def server(trained_small, graph_mode):
    with served(trained_small) as server:
        yield server


@pytest.fixture(scope='module')
def predicted(trained_small, tmp_path_factory):
    """[(the bytes of an image, those of its result)] by `make predict`."""
    folder = tmp_path_factory.mktemp('predicted')
    for number in range(4):
        (folder / f'{number}.png').write_bytes(png(number))
    to = folder / 'to'
    result = run_command(
        'predict', f'--model={trained_small}', f'--to={to}', f'--seed={SEED}', folder
    )
    assert result.returncode == 0, result.stderr
    return [((folder / f'{n}.png').read_bytes(), (to / f'{n}.png').read_bytes()) for n in range(4)]


@pytest.mark.parametrize('requests', [15, pytest.param(200, marks=pytest.mark.slow)])
def test_eight_clients_get_what_predict_writes(server, predicted, requests):
    def work(number):
        connection = server.connect()
        for at in range(requests):
            image, result = predicted[(number + at) % len(predicted)]
            answer = ask(connection, f'/predict?seed={SEED}', image)
            assert (answer.status, answer.body == result) == (200, True)
        return requests

    assert sum(together(8, work)) == 8 * requests
    metrics = server.ask('/metrics').body.decode()
    assert re.search(r'pix2pix_requests_total{endpoint="predict",status="200"} (\d+)', metrics)
    assert 'pix2pix_queue 0.0' in metrics


def test_every_endpoint_responds(server):
    assert server.ask('/healthz').json() == {'status': 'ok'}
    assert server.ask('/model.json').json()['width'] == 64
    for path, kind in (
        ('/', 'text/html'),
        ('/draw.js', 'text/javascript'),
        ('/style.css', 'text/'),
    ):
        answer = server.ask(path)
        assert answer.status == 200 and answer.headers['Content-Type'].startswith(kind)
        assert 'Access-Control-Allow-Origin' not in answer.headers
    example = Image.open(io.BytesIO(server.ask('/examples/0.png').body))
    assert example.size == (64, 64)


def test_slow_clients_do_not_block_others(server, predicted):
    image, result = predicted[0]
    slow = [socket.create_connection(('127.0.0.1', server.port)) for _ in range(60)]
    for number, connection in enumerate(slow):
        header = b'POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nab'
        connection.sendall(header[: 20 if number % 2 else None])
    for _ in range(5):
        start = time.monotonic()
        assert server.ask(f'/predict?seed={SEED}', image).body == result
        assert time.monotonic() - start < 12  # the slow ones have 15 s
    for connection in slow:
        connection.close()


def memory_of(pid):
    with open(f'/proc/{pid}/status') as status:
        return next(int(line.split()[1]) for line in status if line.startswith('VmRSS')) / 1024


@pytest.mark.slow
def test_an_overloaded_server_returns_only_200_and_503_and_its_memory_stays_flat(trained_small):
    image = png(1, 256, 256)
    with served(trained_small, '--queue=2') as server:

        def work(_):
            statuses, sizes = set(), []
            for _ in range(100):
                answer = server.ask('/predict', image)
                assert answer.status == 200 or answer.headers['Retry-After'] == '1'
                statuses.add(answer.status)
                sizes.append(memory_of(server.process.pid))
            return statuses, sizes

        results = together(16, work)
    assert set.union(*(statuses for statuses, _ in results)) == {200, 503}
    sizes = results[0][1]
    half = len(sizes) // 2
    assert np.mean(sizes[half:]) < np.mean(sizes[half // 2 : half]) + 30  # MiB


def test_a_signal_lets_requests_finish(trained):
    """Clients get only complete responses, up to one that closes the connection."""
    image = png(1, 1024, 1024)
    with served(trained) as server:
        answered = []

        def work(number):
            if number == 4:
                wait_until(lambda: len(answered) > 4, 'the first answers')
                return terminate_within_a_request(server, image)
            connection = server.connect()
            for _ in range(1000):
                try:
                    answer = ask(connection, '/predict', image)
                except ConnectionError:  # before the first byte of a response
                    return None
                assert answer.status == 200
                answered.append(answer)
                if answer.headers['Connection'] == 'close':
                    return None
            raise AssertionError('the connection stays open')

        answer = together(5, work)[4]
        assert (answer.status, answer.headers['Connection']) == (200, 'close')
        wait_for(server.process, 'SIGTERM: finishing the requests')
        end(server.process)


def terminate_within_a_request(server, image):
    """The Answer to a request that had arrived in part when the server got SIGTERM."""
    with contextlib.closing(server.connect()) as connection:
        assert ask(connection, '/healthz').status == 200
        connection.putrequest('POST', '/predict')
        connection.putheader('Content-Length', len(image))
        connection.endheaders(image[:100])
        server.process.terminate()
        wait_until(lambda: refuses(server), 'the end of new connections')
        connection.send(image[100:])
        return read(connection)


HUNG = """
import time
from types import SimpleNamespace as Fake
from pix2pix_tf.serve import image_request, server

server.find = lambda model: None
server.canvas = Fake(prepare=lambda *_: None)
server.CurrentGenerator = lambda model: Fake(generator=Fake(step=1, has_noise=True))
server._LEAVING_SECONDS = 0.5
image_request.read_pixels = lambda *_: time.sleep(3600)
server.serve('m', access=server.Access(port=0), limits=server.Limits(seconds=1))
"""


def test_a_job_that_never_ends_does_not_delay_the_shutdown_beyond_its_limit():
    process = start_process(sys.executable, '-c', HUNG)
    port = int(re.search(r':(\d+)/', wait_for(process, ' at http://')).group(1))
    assert Server(process, port).ask('/predict', png()).status == 504
    process.terminate()
    printed, errors = process.communicate()
    assert printed.splitlines()[-1] == (
        'finishing the requests takes longer than 1.5 s: leaving without it'
    )
    assert process.returncode == 1 and 'Traceback' not in errors


def test_names_and_origins_are_as_browsers_send_them():
    assert access.read_name('*.GPU.example.org.') == '*.gpu.example.org'
    for given, origin in (
        ('https://Example.org:443', 'https://example.org'),
        ('http://example.org:443', 'http://example.org:443'),
        ('http://[::1]:80', 'http://[::1]'),
        ('chrome-extension://abc', 'chrome-extension://abc'),
    ):
        assert access.read_origin(given, 'cors') == origin


def test_the_token_is_not_in_the_log(trained_small):
    process = fork_command(
        'serve', f'--model={trained_small}', '--port=0', environment={'PIX2PIX_TOKEN': 'secret'}
    )
    assert 'with #token= and the token behind it' in wait_for(process, ' at http://')
    process.terminate()
    printed, errors = process.communicate()
    assert (process.returncode, 'secret' in printed + errors) == (0, False)


def refuses(server):
    with contextlib.closing(server.connect()) as connection:
        try:
            connection.connect()
        except ConnectionRefusedError:
            return True
    return False


def test_a_newer_checkpoint_is_loaded_without_a_failed_request(trained, watched_run, tmp_path):
    out = str(tmp_path / 'out')
    shutil.copytree(trained, out)
    image, stop = png(1), threading.Event()
    with served(out, '--watch', '--name=m') as server:

        def work(number):
            answers = 0
            if number == 2:
                try:
                    wait_until(lambda: version(server) == '2', 'the old checkpoint')
                    for path in glob.glob(os.path.join(watched_run.out, 'model-4.*')):
                        shutil.copy(path, out)
                    saving.keep_newest(out, os.path.join(out, 'model-4'))
                    wait_until(lambda: version(server) == '4', 'the new checkpoint')
                finally:
                    stop.set()
            while not stop.is_set():
                assert server.ask(f'/predict?seed={SEED}', image).status == 200
                answers += 1
            return answers

        assert sum(together(3, work)) > 0
        with pix2pix_tf.load(out) as generator:
            expected = generator.encode(generator(np.asarray(generator.read(image)), SEED))
        assert server.ask(f'/predict?seed={SEED}', image).body == expected


def version(server):
    return server.ask('/v1/models/m').json()['model_version_status'][0]['version']


def test_an_error_at_the_start_is_one_line(server, trained, tmp_path):
    result = run_command('serve', f'--model={trained}', f'--port={server.port}')
    assert f'cannot listen on 127.0.0.1:{server.port}' in error_line(result, 1)
    result = run_command('serve', f'--model={tmp_path}')
    assert 'no checkpoint' in error_line(result, 1)
    assert '--queue is -1' in error_line(run_command('serve', '--queue=-1'), 2)
    for seconds in ('nan', 'inf', '0'):
        line = error_line(run_command('serve', f'--seconds={seconds}'), 2)
        assert f'--seconds is {float(seconds)}' in line
    assert '--token must consist of' in error_line(run_command('serve', '--token=a b'), 2)
    for flag, words in (
        ('--names=https://example.org', '--names has https://example.org: a name is like'),
        ('--names=example.org:8000', '--names has example.org:8000: a name is like'),
        ('--names=*', '--names has *: a name is like'),
        ('--names=a.b,', '--names has an empty name: a name is like'),
        ('--names=m\xfcller.example', 'in ASCII'),
        ('--cors=example.org', '--cors has example.org: an origin is like'),
        ('--cors=https://example.org/', '--cors has https://example.org/: an origin is like'),
        ('--frame=*', '--frame has *: an origin is like'),
        ('--frame=https://a.b;https://c.d', '--frame has https://a.b;https://c.d: an origin'),
    ):
        assert words in error_line(run_command('serve', flag), 2)
    assert '--port is 70000' in error_line(run_command('serve', '--port=70000'), 2)
