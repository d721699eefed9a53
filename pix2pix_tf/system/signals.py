"""SIGINT, SIGTERM and SIGHUP end a run after its current step, or at once if that does not end."""

import contextlib
import os
import signal
import threading
import time
import typing

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # SIGHUP: the terminal was closed
LIMIT = 600.0  # seconds for a slow step and a save to a slow drive
ECHO = 2.0  # seconds in which further signals may belong to the same request


@contextlib.contextmanager
def stopping_on_signals(
    notify: typing.Callable[[str], object] = print,
    ending: str = 'finishing the step and saving',
    limit: typing.Optional[float] = None,
) -> typing.Iterator[threading.Event]:
    """Yields a threading.Event that a signal of SIGNALS sets; calls `notify(message)` once.

    The message says that the run is `ending`. A second signal ends the process at once, with exit
    status 128 + its number. But SIGTERM and SIGHUP count only ECHO seconds after the first signal:
    one request may come as several, such as SIGHUP with SIGTERM, or SIGTERM to the process and
    again to its group, as `timeout` sends it. If the block has not ended `limit` seconds after the
    first signal (by default LIMIT), a message says so, and the process ends with status 1.

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
    seconds = LIMIT if limit is None else limit
    overdue = threading.Timer(seconds, _leave, [notify, ending, seconds])
    overdue.daemon = True
    said: typing.List[threading.Thread] = []

    def watch():
        first = None  # time of the first signal; `stop` may be set for other reasons
        for number in iter(lambda: os.read(reader, 1), b''):
            if number[0] not in SIGNALS:
                continue
            if number[0] == signal.SIGINT and stop.is_set():
                os._exit(128 + signal.SIGINT)
            if first is not None and time.monotonic() >= first + ECHO:
                os._exit(128 + number[0])
            if first is None:
                first = time.monotonic()
                overdue.start()
            if not stop.is_set():
                stop.set()
                name = signal.Signals(number[0]).name
                said.append(_say(notify, f'{name}: {ending}; interrupt again to leave at once'))

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


def _leave(notify, ending, seconds):
    line = f'{ending} takes longer than {seconds:g} s: leaving without it'
    _say(notify, line).join(ECHO)
    os._exit(1)


def _say(notify, line):
    """Calls `notify(line)` in a thread, which is returned: standard output may be stuck."""

    def say():
        with contextlib.suppress(Exception):  # whatever comes next must not depend on it
            notify(line)

    thread = threading.Thread(target=say, name='said', daemon=True)
    thread.start()
    return thread
