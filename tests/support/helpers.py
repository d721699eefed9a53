"""Functions and constants that the tests share: pairs, narrow models, reading files, commands."""

import contextlib
import http.server
import os
import shlex
import socketserver
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image
from support import shallow
from support.forking import DEADLINE, ROOT, Forked, killed_after
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pix2pix_tf import checkpoints, exporting
from pix2pix_tf.cli import main
from pix2pix_tf.config import Config
from pix2pix_tf.evaluation.evaluator import Measures
from pix2pix_tf.inference import trained

NARROW = Config(ngf=4, ndf=4, seed=5, display_freq=0)
NARROW_FLAGS = ('--ngf=4', '--ndf=4', '--progress_freq=1', '--display_freq=0')

# Where pixels are not the subject: steps and answers take a quarter of the time.
SMALL = replace(NARROW, scale_size=72, crop_size=64)
SMALL_FLAGS = ('--scale_size=72', '--crop_size=64')

# Everything is due at every second step; images are seen whole.
WATCHED = replace(
    NARROW,
    max_steps=4,
    progress_freq=0,
    summary_freq=2,
    display_freq=2,
    histogram_freq=2,
    trace_freq=2,
    eval_freq=2,
    eval_images=4,
    scale_size=256,
)

# Prefixes of variables that Python, TensorFlow or the C library read when they are loaded
_READ_AT_START = ('LD_', 'MALLOC_', 'PYTHON', 'TF_')


def pair_pixels(seed, width=64, height=32):
    """A smooth image on the left, another on the right: [height, width, 3] uint8."""
    rng = np.random.RandomState(seed)
    coarse = Image.fromarray(rng.randint(0, 256, (4, 8, 3)).astype(np.uint8))
    return np.array(coarse.resize((width, height), Image.BICUBIC))


def write_pair(path, seed=0, **size):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    Image.fromarray(pair_pixels(seed, **size)).save(str(path))


def write_cut_off(path):
    """Writes half of a file: its header is complete, its pixels are not."""
    noise = np.random.RandomState(1).randint(0, 256, (64, 128, 3)).astype(np.uint8)
    Image.fromarray(noise).save(str(path))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def contents(folder):
    """{name: bytes} of the files in a folder."""
    result = {}
    for name in os.listdir(str(folder)):
        path = os.path.join(str(folder), name)
        if os.path.isfile(path):
            with open(path, 'rb') as file:
                result[name] = file.read()
    return result


def read_checkpoint(out):
    """{name: value} of every variable in the newest checkpoint."""
    reader = tf.train.NewCheckpointReader(checkpoints.latest(str(out)))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def read_events(out):
    """All events in a folder, as TensorBoard reads them."""
    sizes = {'scalars': 0, 'images': 0, 'histograms': 0}
    return EventAccumulator(str(out), size_guidance=sizes).Reload()


def export(data, out, checkpoint=None, measures=Measures(), function='export', **changes):
    """`exporting.export` with the options saved next to the checkpoint, except for `changes`."""
    config = trained.find(checkpoint or out, **changes).config
    return getattr(exporting, function)(data, out, config, checkpoint, measures=measures)


def evaluate(data, out, checkpoint=None, measures=Measures(), **changes):
    """`exporting.evaluate` with the options saved next to the checkpoint, except for `changes`."""
    return export(data, out, checkpoint, measures, 'evaluate', **changes)


def command_line(command, *flags):
    return [sys.executable, os.path.join(ROOT, 'bin', 'pix2pix-' + command), *map(str, flags)]


def command_environment(**changes):
    """The environment of a command: with this package, the test's networks and these variables."""
    # Settings of the test run would hide what a user sees, and the variables given to `make test`
    # must not reach a `make` that a test runs
    hidden = {'TF_CPP_MIN_LOG_LEVEL', 'TF_USE_LEGACY_KERAS'}
    hidden |= {'MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'MAKEOVERRIDES'}
    given = shlex.split(os.environ.get('MAKEFLAGS', ''))
    hidden.update(word.split('=')[0] for word in given if '=' in word)
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    found = [ROOT]
    if shallow.in_use():
        found.append(os.path.join(ROOT, 'tests', 'support', 'shallow_processes'))
    return dict(environment, PYTHONPATH=os.pathsep.join(found), **changes)


def run_command(command, *flags, **options):
    """Runs bin/pix2pix-`command` to its end, and returns a subprocess.CompletedProcess.

    It runs in a child of the fork server. Tests of how a command starts need `run_real_command`,
    which takes seconds longer. The options are those of `fork_command`, and `timeout` in seconds.
    """
    timeout = options.pop('timeout', DEADLINE)
    process = fork_command(command, *flags, **options)
    printed, errors = process.communicate(timeout)
    return subprocess.CompletedProcess(process.args, process.returncode, printed, errors)


def fork_command(command, *flags, environment=(), **options):
    """Starts a command in a child of the fork server, and leaves it running.

    The options are those of `Forked`. `environment` holds variables to set; those that are read
    when TensorFlow is imported are rejected, because the fork server has imported it already.
    """
    changes = dict(environment)
    assert not [n for n in changes if n.startswith(_READ_AT_START)], 'this needs run_real_command'
    args = command_line(command, *flags)[1:]
    return _remember(Forked(args, dict(command_environment(), **changes), **options))


def fork_script(path, *arguments, **options):
    """Starts a script of this project in a child of the fork server, and leaves it running."""
    environment = command_environment(TF_CPP_MIN_LOG_LEVEL='3')
    args = [os.path.join(ROOT, path), *map(str, arguments)]
    return _remember(Forked(args, environment, **options))


def run_real_command(command, *flags, environment=(), **options):
    """Runs bin/pix2pix-`command` to its end in a new process; returns a CompletedProcess."""
    return run_process(*command_line(command, *flags), environment=environment, **options)


def run_here(command, *flags):
    """Runs pix2pix-`command` in this process; returns its exit status.

    Flags that are not given have their defaults, whatever ran in this process before.
    """
    values = main.module_of(command).FLAGS
    for name in values:
        values[name].unparse()
    try:
        main.run(command, flags)
    except SystemExit as end:
        return end.code
    finally:
        for name in values:
            values[name].unparse()


def start_command(command, *flags, **options):
    """Starts a command in a new process, and leaves it running.

    The options are `environment`, variables to set, and those of subprocess.Popen.
    """
    return start_process(*command_line(command, *flags), **options)


def run_process(*args, timeout=DEADLINE, **options):
    """Runs any program to its end, and returns a subprocess.CompletedProcess."""
    process = start_process(*args, **options)
    printed, errors = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(args, process.returncode, printed, errors)


def start_process(*args, environment=(), **options):
    """Starts any program that can import this package, and leaves it running."""
    pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'universal_newlines': True}
    environment = dict(command_environment(), **dict(environment))
    return _remember(subprocess.Popen(args, env=environment, **dict(pipes, **options)))


_started = []


def _remember(process):
    _started.append(process)
    return process


def kill_what_runs():
    """Ends the processes that a test has started and that still run."""
    while _started:
        process = _started.pop()
        if process.returncode is None:
            process.kill()
            process.wait()


def wait_for(process, words, timeout=DEADLINE):
    """Reads what `process` prints up to the line that holds `words`, and returns that line.

    After `timeout` seconds it kills the process and fails the test.
    """
    printed = []
    with killed_after(process, timeout) as overdue:
        for line in process.stdout:
            printed.append(line)
            if words in line:
                return line
    when = f'within {timeout} seconds' if overdue.is_set() else 'before it ended'
    errors = process.stderr.read() if process.stderr else ''
    raise AssertionError(f'{words!r} was not printed {when}, but {printed} and {errors!r}')


def wait_until(condition, what, timeout=DEADLINE):
    """Asks `condition` every 50 ms until it holds; fails the test after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f'{what}: not within {timeout} seconds'
        time.sleep(0.05)


def error_line(result, status):
    """The only line on standard error of a command that must have ended with this status."""
    assert result.returncode == status, result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Has a thread per connection: a browser opens some that it does not use at once."""

    daemon_threads, request_queue_size = True, 64


@contextlib.contextmanager
def serving(handler):
    """An HTTP server on loopback, in a thread, with this request handler."""
    server = _Server(('127.0.0.1', 0), handler)
    server.url = f'http://127.0.0.1:{server.server_port}'
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
