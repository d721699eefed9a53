"""SIGINT, SIGTERM and SIGHUP end a run after its current step."""

import contextlib
import os
import select
import signal
import threading
import time
import typing

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # SIGHUP: the terminal was closed

# Seconds within which signals count as one: `timeout` sends its signal to the process and to its
# group, and a terminal that is closed sends SIGHUP twice
_SAME_SECONDS = 1


@contextlib.contextmanager
def stopping_on_signals(
    notify: typing.Callable[[str], object] = print,
    ending: str = 'finishing the step and saving',
    limit: typing.Optional[float] = None,
) -> typing.Iterator[threading.Event]:
    """Yields a threading.Event that a signal of SIGNALS sets; calls `notify(message)` once.

    The message says that the run is `ending`. A second signal ends the process at once; its exit
    status is 128 plus the signal's number. If the block has not ended `limit` seconds after the
    first signal, the process ends with a message and exit status 1.

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

    def watch():
        poll = select.poll()
        poll.register(reader)
        first = None  # when the first signal came
        while True:
            end = None if limit is None or first is None else first + limit
            if not poll.poll(None if end is None else 1000 * max(0, end - time.monotonic())):
                _tell(notify, f'{ending} takes longer than {limit:g} s: leaving without it')
                os._exit(1)
            read = os.read(reader, 1)
            if not read:
                return
            number = read[0]
            if number not in SIGNALS:
                continue
            if first is None:
                first = time.monotonic()
                stop.set()
                name = signal.Signals(number).name
                _tell(notify, f'{name}: {ending}; interrupt again to leave at once')
            elif number == signal.SIGINT or time.monotonic() > first + _SAME_SECONDS:
                os._exit(128 + number)

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


def _tell(notify, line):
    with contextlib.suppress(Exception):  # what comes next must not depend on it
        notify(line)
