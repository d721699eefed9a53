"""The generator that answers requests, while newer checkpoints appear."""

import glob
import os
import shutil
import threading

import numpy as np
import pytest
from support.clients import png, together
from support.helpers import wait_until
from werkzeug.test import Client
from werkzeug.wrappers import Response

import pix2pix_tf
from pix2pix_tf import saving
from pix2pix_tf.inference.trained import find
from pix2pix_tf.serve import canvas, hot_reload, image_request
from pix2pix_tf.serve.access import Access
from pix2pix_tf.serve.app import Application
from pix2pix_tf.serve.hot_reload import CurrentGenerator
from pix2pix_tf.serve.image_request import Limits
from pix2pix_tf.serve.job_queue import JobQueue
from pix2pix_tf.system.errors import CheckpointError


@pytest.fixture
def out(trained, tmp_path):
    """The folder of a training with a checkpoint of step 2."""
    return shutil.copytree(trained, str(tmp_path / 'out'))


def add_checkpoint(watched_run, out):
    """Adds a checkpoint of step 4."""
    for path in glob.glob(os.path.join(watched_run.out, 'model-4.*')):
        shutil.copy(path, out)
    saving.keep_newest(out, os.path.join(out, 'model-4'))


def test_a_replaced_generator_is_closed_by_the_last_request_that_used_it(
    out, watched_run, monkeypatch
):
    with pix2pix_tf.load(out) as generator:
        expected = generator.encode(generator(np.asarray(generator.read(png())), seed=1))
    current, jobs = CurrentGenerator(out), JobQueue(1, 1, 60)
    drawing = canvas.prepare(find(out))
    client = Client(Application('m', current, drawing, jobs, Limits(), Access()), Response)

    closed, computing, gate = [], threading.Event(), threading.Event()
    session_class, compute = type(current.generator._network._session), image_request.compute
    close = session_class.close
    monkeypatch.setattr(session_class, 'close', lambda self: (closed.append(id(self)), close(self)))

    def compute_behind_the_gate(*arguments):
        computing.set()
        assert gate.wait(30)
        return compute(*arguments)

    monkeypatch.setattr(image_request, 'compute', compute_behind_the_gate)
    old = id(current.generator._network._session)

    def work(number):
        if number == 0:
            return client.post('/predict?seed=1', data=png())
        assert computing.wait(30)
        add_checkpoint(watched_run, out)
        assert current.refresh() and not current.refresh()
        assert old not in closed
        gate.set()

    response, _ = together(2, work)
    assert (response.headers['X-Step'], response.data == expected) == ('2', True)
    wait_until(lambda: old in closed, 'the end of the old session')
    assert client.post('/predict?seed=1', data=png()).headers['X-Step'] == '4'
    jobs.close()
    current.generator.close()


def test_a_checkpoint_that_cannot_be_loaded_is_reported_once(out, monkeypatch, capsys):
    current = CurrentGenerator(out)
    capsys.readouterr()

    def find(model, **changes):
        raise CheckpointError('the checkpoint does not fit: change `crop_size`')

    monkeypatch.setattr(hot_reload, 'find', find)
    assert not current.refresh() and not current.refresh()
    assert capsys.readouterr().out == (
        'the checkpoint does not fit: change --crop_size; step 2 stays in use\n'
    )
    assert current.generator(np.zeros([64, 64, 3], np.uint8), seed=1).shape == (256, 256, 3)
    current.generator.close()


def test_the_thread_that_looks_for_checkpoints_survives_any_failure(
    out, watched_run, monkeypatch, capsys
):
    current, stop = CurrentGenerator(out), threading.Event()
    original, failures = hot_reload.find, 2 * [RecursionError('too deep')]

    def find(model, **changes):
        if failures:
            raise failures.pop()
        return original(model, **changes)

    monkeypatch.setattr(hot_reload, 'find', find)
    add_checkpoint(watched_run, out)
    thread = threading.Thread(target=current.watch, args=(0.01, stop))
    thread.start()
    wait_until(lambda: current.generator.step == 4, 'the newer checkpoint')
    stop.set()
    thread.join()
    assert (
        capsys.readouterr().out.count(
            'cannot look for newer checkpoints: RecursionError: too deep; step 2 stays in use\n'
        )
        == 1
    )
    current.generator.close()
