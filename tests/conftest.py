"""What the tests share: small pairs of their own, a graph, a narrow model, the commands."""

import contextlib
import io
import os
import subprocess
import sys
import typing

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image

from pix2pix_tf import training
from pix2pix_tf.system import runtime
from pix2pix_tf.config import Config

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Deep as the post's, but thin: a step takes a tenth of a second.
NARROW = Config(ngf=4, ndf=4, seed=5)


@pytest.fixture(scope='session', autouse=True)
def graph_mode():
    runtime.use_graph_mode()


@pytest.fixture
def graph():
    """A graph of the test's own, as the default."""
    with tf.Graph().as_default() as own:
        yield own


@pytest.fixture(scope='session')
def narrow():
    return NARROW


def pair_pixels(seed, width=64, height=32):
    """A smooth picture on the left, another on the right: [height, width, 3] uint8."""
    rng = np.random.RandomState(seed)
    coarse = Image.fromarray(rng.randint(0, 256, (4, 8, 3)).astype(np.uint8))
    return np.array(coarse.resize((width, height), Image.BICUBIC))


def write_pair(path, seed=0, **size):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    Image.fromarray(pair_pixels(seed, **size)).save(str(path))


@pytest.fixture(scope='session')
def pairs(tmp_path_factory):
    """A folder of five pairs, 1.jpg to 5.jpg."""
    folder = tmp_path_factory.mktemp('pairs')
    for number in range(1, 6):
        write_pair(folder / f'{number}.jpg', seed=number)
    return str(folder)


@pytest.fixture(scope='session')
def trained(tmp_path_factory, graph_mode, pairs):
    """An output folder with a narrow model, trained for two steps."""
    out = str(tmp_path_factory.mktemp('trained'))
    training.train(pairs, out, NARROW._replace(max_steps=2))
    return out


# Everything is due at every other step; pairs are seen whole.
WATCHED = NARROW._replace(
    max_steps=4, progress_freq=0, summary_freq=2, display_freq=2, histogram_freq=2, trace_freq=2,
    eval_freq=2, eval_pictures=4, scale_size=256,
)  # fmt: skip


class Run(typing.NamedTuple):
    """A training that is over."""

    out: str  # its output folder
    printed: str


@pytest.fixture(scope='session')
def watched_run(tmp_path_factory, graph_mode, pairs):
    """A run of four steps with everything due at every other one, `pairs` looked at as well."""
    out = str(tmp_path_factory.mktemp('watched'))
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        training.train(pairs, out, WATCHED, val_dir=pairs)
    return Run(out, printed.getvalue())


def contents(folder):
    """{name: bytes} of the files in a folder."""
    result = {}
    for name in os.listdir(str(folder)):
        path = os.path.join(str(folder), name)
        if os.path.isfile(path):
            with open(path, 'rb') as file:
                result[name] = file.read()
    return result


def write_cut_off(path):
    """Half a file: its header is whole, its pixels are not."""
    noise = np.random.RandomState(1).randint(0, 256, (64, 128, 3)).astype(np.uint8)
    Image.fromarray(noise).save(str(path))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def command_options(command, *flags, environment=(), **options):
    """Arguments for subprocess to run bin/pix2pix-`command` as a user would."""
    # The test run's own setting would hide what a user gets to see.
    env = {k: v for k, v in os.environ.items() if k != 'TF_CPP_MIN_LOG_LEVEL'}
    env.update(dict(environment) or {'PYTHONPATH': ROOT})
    return dict(
        args=[sys.executable, os.path.join(ROOT, 'bin', 'pix2pix-' + command), *map(str, flags)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        env=env,
        **options,
    )


def run_command(*arguments, **options):
    """Runs a command to its end."""
    return subprocess.run(timeout=300, **command_options(*arguments, **options))


def start_command(*arguments, **options):
    """Starts a command and leaves it running."""
    return subprocess.Popen(**command_options(*arguments, **options))


def wait_for(process, words):
    """Reads what `process` prints up to the line that holds `words`, and returns that line."""
    for line in process.stdout:
        if words in line:
            return line
    raise AssertionError(f'never printed {words!r}, but on stderr: {process.stderr.read()}')


def error_line(result, status):
    """What the command said, seen to be one line on standard error with this exit status."""
    assert result.returncode == status, result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]
