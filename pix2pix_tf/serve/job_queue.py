"""A queue of jobs for a few threads, limited in length and in time."""

import concurrent.futures
import threading
import time
from typing import Callable, TypeVar

Result = TypeVar('Result')

_current = threading.local()  # its `deadline`: that of the job in this thread


class Full(Exception):
    """Too many jobs are waiting."""


class Overdue(Exception):
    """A job took too long."""


class JobQueue:
    """Runs jobs in `workers` threads, while at most `waiting` more jobs wait for a thread.

    A job may wait and run for `seconds` in total.
    """

    def __init__(self, workers: int, waiting: int, seconds: float) -> None:
        self.workers, self.places, self.seconds = workers, workers + waiting, seconds
        self._jobs = 0
        self._lock = threading.Lock()
        self._pool = concurrent.futures.ThreadPoolExecutor(workers, 'generator')

    def waiting(self) -> int:
        """The number of jobs that wait."""
        return max(0, self._jobs - self.workers)

    def run(self, job: Callable[[], Result]) -> Result:
        """Returns what `job()` returns.

        A job that runs cannot be interrupted: if it is overdue, it keeps its thread and its place
        until it calls `check_time` or ends.

        Raises:
            Full: there is no free place.
            Overdue: the time is over.
        """
        with self._lock:
            if self._jobs >= self.places:
                raise Full
            self._jobs += 1
        future = self._pool.submit(self._run, time.monotonic() + self.seconds, job)
        if not concurrent.futures.wait([future], self.seconds).done:
            if future.cancel():  # it was still waiting
                self._leave()
            raise Overdue
        return future.result()

    def _run(self, deadline, job):
        _current.deadline = deadline
        try:
            check_time()
            return job()
        finally:
            self._leave()  # before its client has the response, and can send the next request

    def _leave(self):
        with self._lock:
            self._jobs -= 1

    def close(self) -> None:
        """Waits for the running jobs."""
        self._pool.shutdown()


def check_time() -> None:
    """Ends the job of this thread if it is overdue.

    Raises:
        Overdue: it is.
    """
    if time.monotonic() > _current.deadline:
        raise Overdue
