"""Calls a function on many items, in one process per core."""

import collections
import concurrent.futures
import itertools
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures.process import BrokenProcessPool
from typing import Callable, Deque, Iterable, Iterator, Optional, Tuple, TypeVar

from pix2pix_tf.system import machine
from pix2pix_tf.system.errors import Pix2PixError

CHUNK = 8  # items that a process gets at a time

T = TypeVar('T')
R = TypeVar('R')


def each(
    function: Callable[[T], R],
    items: Iterable[T],
    processes: Optional[int] = None,
) -> Iterator[Tuple[T, R]]:
    """Yields (item, function(item)) in the order of `items`.

    By default there is one process for each core that this process may use. They end with this
    process, even if it is killed. An exception in `function` ends the loop. With `processes`=1, and
    on Python 3.6, whose pools have no initializer, the function runs in this process.

    Raises:
        Pix2PixError: a process was killed.
    """
    processes = processes or machine.cores()
    if processes == 1 or sys.version_info < (3, 7):
        for item in items:
            yield item, function(item)
        return
    reader, writer = os.pipe()
    # Forked, not spawned: a user's script then needs no `if __name__ == '__main__'`
    pool = concurrent.futures.ProcessPoolExecutor(
        processes, multiprocessing.get_context('fork'), _start, (reader, writer)
    )
    pending: Deque = collections.deque()
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
    """Prepares a new process: it ignores Ctrl-C, and ends when its parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.close(writer)
    threading.Thread(target=_end_with_parent, args=(reader,), daemon=True).start()


def _end_with_parent(reader):
    os.read(reader, 1)  # returns once no process has the other end open
    os._exit(1)
