"""A function on many items, in one process per core."""

import collections
import concurrent.futures
import itertools
import multiprocessing
import os
import signal
import sys
import threading
import typing
from concurrent.futures.process import BrokenProcessPool

from pix2pix_tf.system import machine
from pix2pix_tf.system.errors import Pix2PixError

CHUNK = 8  # items that a process gets at a time

T = typing.TypeVar('T')
R = typing.TypeVar('R')


def each(
    function: typing.Callable[[T], R],
    items: typing.Iterable[T],
    processes: typing.Optional[int] = None,
) -> typing.Iterator[typing.Tuple[T, R]]:
    """Yields (item, function(item)) in the order of `items`.

    By default there is a process for each core that this one may use. They end with this one,
    however it ends. An exception in `function` ends the loop. With one process, it is this one, as
    it always is on Python 3.6, whose pools cannot prepare their processes.

    Raises:
        Pix2PixError: a process was killed.
    """
    processes = processes or machine.cores()
    if processes == 1 or sys.version_info < (3, 7):
        for item in items:
            yield item, function(item)
        return
    reader, writer = os.pipe()
    # Forked, not spawned: a script of the user's needs no `if __name__ == '__main__'`
    pool = concurrent.futures.ProcessPoolExecutor(
        processes, multiprocessing.get_context('fork'), _start, (reader, writer)
    )
    pending: typing.Deque = collections.deque()
    iterator = iter(items)
    try:
        while True:
            while len(pending) < 3 * processes:
                chunk = list(itertools.islice(iterator, CHUNK))
                if not chunk:
                    break
                pending.append((chunk, pool.submit(_run, function, chunk)))
            if not pending:
                return
            chunk, future = pending.popleft()
            yield from zip(chunk, future.result())
    except BrokenProcessPool as error:
        raise Pix2PixError(
            'a worker process was killed, perhaps for lack of memory: run it again to resume'
        ) from error
    finally:
        for _, future in pending:
            future.cancel()
        pool.shutdown()
        os.close(reader)
        os.close(writer)


def _run(function, chunk):
    return [function(item) for item in chunk]


def _start(reader, writer):
    """In a new process: Ctrl-C is for the parent alone, and this process ends when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.close(writer)
    threading.Thread(target=_end_with_parent, args=(reader,), daemon=True).start()


def _end_with_parent(reader):
    os.read(reader, 1)  # returns once no process has the other end open
    os._exit(1)
