"""A process that has TensorFlow loaded and forks a child for every command that a test runs.

A command spends most of its time on importing TensorFlow; a child of this process has it already.
This module is the client, fork_server.py the server. They exchange lines of JSON: the response to a
command is the pid of its child, the response to a wait is the child's exit status.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEADLINE = 200  # seconds, for everything that tests wait for; only a failure takes as long


class ForkServer:
    """The client's end of a server process."""

    def __init__(self):
        environment = {k: v for k, v in os.environ.items() if k != 'TF_CPP_MIN_LOG_LEVEL'}
        paths = os.pathsep.join([ROOT, os.path.join(ROOT, 'tests')])
        # With more threads, numpy would start them when it is imported, and children lack them
        environment.update(PYTHONPATH=paths, OPENBLAS_NUM_THREADS='1')
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(ROOT, 'tests', 'support', 'fork_server.py')],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
            env=environment,
            start_new_session=True,  # Ctrl-C is for pytest alone
        )
        assert self._read() == 'ready'

    def ask(self, **request):
        """The response to a request.

        If a deadline or Ctrl-C interrupts it, a response would be left over: the server is closed,
        and the next test starts another.
        """
        try:
            self.process.stdin.write(json.dumps(request) + '\n')
            self.process.stdin.flush()
            return self._read()
        except BaseException:
            self.close()
            raise

    def close(self):
        """Ends the server and all its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.stdout.close()
        self.process.wait()

    def _read(self):
        line = self.process.stdout.readline()
        assert line, 'the fork server has ended: see its standard error'
        return json.loads(line)


_servers = []


def server():
    """The server of this test session, started by the first test that needs it."""
    if not _servers or _servers[-1].process.poll() is not None:
        _servers.append(ForkServer())
    return _servers[-1]


def close():
    """Ends the server of this test session, if there is one."""
    for one in _servers:
        one.close()


class Forked:
    """A command in a child of the server, with the interface of subprocess.Popen.

    `host` is the name of a network namespace of iproute2. With `new_session`, the child leads a
    new session. `terminal` is the path of a terminal, which such a child gets for input and output.
    """

    def __init__(self, args, env, cwd=None, host=None, new_session=False, terminal=None):
        from support import shallow  # imports TensorFlow, which the server need not wait for

        self.args, self.returncode = args, None
        self.server = server()
        self.stderr = tempfile.TemporaryFile('w+')  # noqa: SIM115
        reader, writer = os.pipe()
        self.stdout = open(reader)  # noqa: SIM115
        files = [f'/proc/{os.getpid()}/fd/{fd}' for fd in (writer, self.stderr.fileno())]
        files = [terminal] * 3 if terminal else [os.devnull, *files]
        try:
            self.pid = self.server.ask(
                fork=args,
                environment=env,
                cwd=str(cwd or os.getcwd()),
                files=files,
                shallow=shallow.in_use(),
                host=host,
                new_session=new_session or bool(terminal),
            )
        finally:
            os.close(writer)

    def send_signal(self, number):
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def wait(self):
        if self.returncode is None:
            self.returncode = self.server.ask(wait=self.pid)
        return self.returncode

    def communicate(self, timeout=DEADLINE):
        """(the rest of its standard output, its standard error), once it has ended.

        After `timeout` seconds it is killed, and subprocess.TimeoutExpired raised.
        """
        with killed_after(self, timeout) as overdue:
            printed = self.stdout.read()
            self.wait()
        errors = self.stderr.read()
        self.stdout.close()
        self.stderr.close()
        if overdue.is_set():
            raise subprocess.TimeoutExpired(self.args, timeout, printed, errors)
        return printed, errors


@contextlib.contextmanager
def killed_after(process, timeout):
    """Kills `process`, and so ends reads of its pipes, if the block takes over `timeout` seconds.

    Yields a threading.Event that is set if it was killed.
    """
    overdue = threading.Event()

    def kill():
        overdue.set()
        process.kill()

    timer = threading.Timer(timeout, kill)
    timer.start()
    try:
        yield overdue
    finally:
        timer.cancel()
        timer.join()
