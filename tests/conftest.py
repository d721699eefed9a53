"""The fixtures that the tests share."""

import contextlib
import functools
import io
import subprocess
import types
import typing
from dataclasses import replace

from support import loading  # noqa: F401 - first

# isort: split
import pytest
import tensorflow.compat.v1 as tf
from support import forking, frugal, helpers, shallow

from pix2pix_tf import training
from pix2pix_tf.convert import convert
from pix2pix_tf.inference.trained import find
from pix2pix_tf.system import compat


@pytest.fixture(scope='session', autouse=True)
def graph_mode():
    compat.use_graph_mode()
    frugal.spare()


@pytest.fixture(scope='session', autouse=True)
def fork_server():
    """The server starts with the first `run_command`, and ends with the test session."""
    yield
    forking.close()


@pytest.fixture(autouse=True)
def nothing_left():
    yield
    helpers.kill_what_runs()
    frugal.collect()


@pytest.fixture(scope='module')
def optimized(graph_mode):
    """Sessions as users have them, with the graph optimizer."""
    with frugal.optimized():
        yield


@pytest.fixture
def graph():
    """A new graph, as the default."""
    with tf.Graph().as_default() as new:
        yield new


@pytest.fixture(scope='session')
def narrow():
    return helpers.NARROW


@pytest.fixture(scope='session')
def pairs(tmp_path_factory):
    """A folder of five pairs, 1.jpg to 5.jpg."""
    folder = tmp_path_factory.mktemp('pairs')
    for number in range(1, 6):
        helpers.write_pair(folder / f'{number}.jpg', seed=number)
    return str(folder)


def once_for_each_kind_of_networks(make):
    """A function that calls `make()` once for each kind of networks, and returns that result."""
    remembered = functools.lru_cache(maxsize=None)(lambda is_shallow: make())
    return lambda: remembered(shallow.in_use())


@pytest.fixture(scope='session')
def train_briefly(tmp_path_factory, graph_mode, pairs):
    """A function: `trained` with the networks of the test that calls it."""

    def make():
        out = str(tmp_path_factory.mktemp('trained'))
        with frugal.optimized():
            training.train(pairs, out, replace(helpers.NARROW, max_steps=2))
        return out

    return once_for_each_kind_of_networks(make)


@pytest.fixture(scope='module')
def trained(train_briefly):
    """An output folder with a narrow model, trained for two steps."""
    return train_briefly()


@pytest.fixture(scope='session')
def trained_small(tmp_path_factory, graph_mode, pairs):
    """An output folder with a narrow model for images of 64x64 pixels, trained for two steps."""
    out = str(tmp_path_factory.mktemp('small'))
    with frugal.optimized():
        training.train(pairs, out, replace(helpers.SMALL, max_steps=2))
    return out


@pytest.fixture(scope='module')
def source(trained):
    """The model of `trained`, as a conversion takes it."""
    return find(trained)


@pytest.fixture(scope='module')
def forked_checks():
    """Converted models are checked in a child of the fork server, which has TensorFlow loaded."""

    def run(args, **_):
        assert args[1:3] == ['-m', 'pix2pix_tf.convert.verify']
        process = helpers.fork_script('pix2pix_tf/convert/verify.py', *args[3:])
        printed, errors = process.communicate()
        return subprocess.CompletedProcess(args, process.returncode, printed + errors)

    original = convert.subprocess
    convert.subprocess = types.SimpleNamespace(run=run, PIPE=None, STDOUT=None)
    yield
    convert.subprocess = original


class Run(typing.NamedTuple):
    """A training that has ended."""

    out: str  # its output folder
    printed: str


@pytest.fixture(scope='session')
def watch(tmp_path_factory, graph_mode, pairs):
    """A function: the `watched_run` with the networks of the test that calls it."""

    def make():
        out = str(tmp_path_factory.mktemp('watched'))
        with contextlib.redirect_stdout(io.StringIO()) as printed, frugal.optimized():
            training.train(pairs, out, helpers.WATCHED, val_data=pairs)
        return Run(out, printed.getvalue())

    return once_for_each_kind_of_networks(make)


@pytest.fixture
def watched_run(watch):
    """A run of four steps with everything due at every second one, and `pairs` for validation."""
    return watch()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Chooses the networks of a test before its fixtures run."""
    shallow.use(item.get_closest_marker('post_networks') is None)


def pytest_collection_modifyitems(items):
    """Slow tests come first, so that with several processes the last test is a short one."""
    items.sort(key=lambda item: item.get_closest_marker('slow') is None)
