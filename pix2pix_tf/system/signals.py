"""SIGINT, SIGTERM and SIGHUP end a run after its current step."""

import contextlib
import os
import select
import signal
import threading
import time
import typing

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # SIGHUP: the terminal was closed
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
    first signal, the process ends with a message and exit status 1, for any reason.

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
        first = None  # time of the first signal; `stop` may be set for other reasons
        poll = select.poll()
        poll.register(reader)
        while True:
            end = None if limit is None or first is None else first + limit
            if not poll.poll(None if end is None else 1000 * max(0, end - time.monotonic())):
                tell(f'{ending} takes longer than {limit:g} s: leaving without it')
                os._exit(1)
            number = os.read(reader, 1)
            if not number:
                return
            if number[0] not in SIGNALS:
                continue
            if number[0] == signal.SIGINT and stop.is_set():
                os._exit(128 + signal.SIGINT)
            if first is not None and time.monotonic() >= first + ECHO:
                os._exit(128 + number[0])
            if first is None:
                first = time.monotonic()
            if not stop.is_set():
                stop.set()
                name = signal.Signals(number[0]).name
                tell(f'{name}: {ending}; interrupt again to leave at once')

    def tell(line):
        with contextlib.suppress(Exception):  # what comes next must not depend on it
            notify(line)

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
