"""The server of forking.py: has TensorFlow loaded, and forks a child for every command."""

import atexit
import contextlib
import ctypes
import fcntl
import gc
import json
import os
import random
import runpy
import signal
import sys
import termios
import threading

CLONE_NEWNET = 0x40000000  # setns(2)

# Modes of standard input, output and error. A terminal belongs to the child, not to the server.
WRITING = os.O_WRONLY | os.O_APPEND | os.O_NOCTTY
MODES = os.O_RDONLY | os.O_NOCTTY, WRITING, WRITING

# Imported by commands, apart from the modules that define flags: absl defines a flag only once.
LOADED = ('distributed.train', 'exporting', 'monitoring.plot')


def serve():
    """Answers requests until standard input ends. A child returns once its command has ended."""
    from pix2pix_tf.cli import common

    for module in LOADED:
        common.load(module)
    from support import frugal

    frugal.spare()
    answer('ready')
    for line in sys.stdin:
        request = json.loads(line)
        if 'wait' in request:
            _, status = os.waitpid(request['wait'], 0)
            answer(-os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
            continue
        check_single_thread()
        files = [os.open(path, mode) for path, mode in zip(request['files'], MODES)]
        pid = os.fork()
        if pid == 0:
            with quick_exit():
                return become(request, files)
        for file in files:
            os.close(file)
        answer(pid)


@contextlib.contextmanager
def quick_exit():
    """Ends this process with the status that a SystemExit in the block has, as Python would.

    Python itself would then delete every object, and so copy all memory shared with the server.
    """
    try:
        yield
    except SystemExit as error:
        if not isinstance(error.code, int):
            raise
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(error.code)


def answer(value):
    print(json.dumps(value), flush=True)


def check_single_thread():
    """Fails if there are more threads: a child gets none of them, but all locks that they hold."""
    with open('/proc/self/status') as status:
        [threads] = [int(line.split()[1]) for line in status if line.startswith('Threads:')]
    assert threads == 1, f'the fork server has {threads} threads, so that forking is not safe'


def enter_network(path):
    """Moves this process to the network namespace at `path`."""
    with open(path) as namespace:
        assert ctypes.CDLL(None).setns(namespace.fileno(), CLONE_NEWNET) == 0, path


def become(request, files):
    """Runs a command in this process as if it had been started for it."""
    import numpy as np
    from support import shallow

    for fd, file in enumerate(files):
        os.dup2(file, fd)
        os.close(file)
    if request['new_session']:
        os.setsid()
        if os.isatty(0):
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # A command that runs for long must not fill the memory: the collector works, though seldom
    gc.set_threshold(20000, 10, 10)
    gc.enable()
    os.environ.clear()
    os.environ.update(request['environment'])
    os.chdir(request['cwd'])
    if request['host']:
        enter_network(f'/run/netns/{request["host"]}')
    shallow.use(request['shallow'])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):  # even with `nohup make test`
        signal.signal(number, signal.SIG_DFL)
    random.seed()
    np.random.seed()
    sys.argv = request['fork']
    sys.path[0] = os.path.dirname(sys.argv[0])
    runpy.run_path(sys.argv[0], run_name='__main__')


if __name__ == '__main__':
    serve()
