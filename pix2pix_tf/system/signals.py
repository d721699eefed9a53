"""SIGINT, SIGTERM and SIGHUP end a run after its current step, or at once if that does not end."""

import contextlib
import os
import signal
import threading
import time
import typing

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # SIGHUP: the terminal was closed
LIMIT = 600  # seconds for a slow step and a save to a slow drive, after which the process leaves
# `timeout`, shells and batch systems send SIGTERM or SIGHUP to a process and to its group. Within
# these seconds, a second one is the same signal.
ECHO = 1


@contextlib.contextmanager
def stopping_on_signals(
    notify: typing.Callable[[str], object] = print,
    ending: str = 'finishing the step and saving',
) -> typing.Iterator[threading.Event]:
    """Yields a threading.Event that a signal of SIGNALS sets; calls `notify(message)` once.

    The message says that the run is `ending`. A second signal ends the process at once, with exit
    status 128 + its number. If the run has not ended LIMIT seconds after the first, a second
    message says so, and the process ends with status 1.

    A Python signal handler would have to wait until TensorFlow returns from the step. Therefore a
    thread reads the signal numbers from a pipe. Outside the main thread, where Python allows no
    handlers, signals keep their meaning.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    overdue = threading.Timer(LIMIT, _leave, [notify])
    overdue.daemon = True

    said: typing.List[threading.Thread] = []

    def watch():
        first = 0.0
        for number in iter(lambda: os.read(reader, 1), b''):
            if number[0] not in SIGNALS:
                continue
            if not stop.is_set():
                first = time.monotonic()
                stop.set()
                overdue.start()
                name = signal.Signals(number[0]).name
                said.append(_say(notify, f'{name}: {ending}; interrupt again to leave at once'))
            elif number[0] == signal.SIGINT or time.monotonic() > first + ECHO:
                os._exit(128 + number[0])

    # The handlers do nothing, but without one Python does not write the number to the pipe.
    # With nohup, SIGHUP stays ignored.
    heard = [n for n in SIGNALS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, lambda *_: None) for number in heard}
    wakeup = signal.set_wakeup_fd(writer)
    watcher = threading.Thread(target=watch, name='signals', daemon=True)
    watcher.start()
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(writer)
        watcher.join()
        os.close(reader)
        overdue.cancel()
        for thread in said:
            thread.join(ECHO)


def _leave(notify):
    line = f'not ended within {LIMIT} seconds: leaving at once; what was saved is kept'
    _say(notify, line).join(ECHO)
    os._exit(1)


def _say(notify, line):
    """Calls `notify(line)` in a thread, which is returned: standard output may be stuck."""
    thread = threading.Thread(target=notify, args=[line], name='said', daemon=True)
    thread.start()
    return thread
