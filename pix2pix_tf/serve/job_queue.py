"""A queue of jobs for a few threads: bounded in length and in time."""

import concurrent.futures
import threading
import time
import typing

Job = typing.Callable[[], typing.Any]

_end = threading.local()  # its `time`: when the job of a thread must have ended


class Full(Exception):
    """Too many jobs wait already."""


class Overdue(Exception):
    """A job took too long."""


class JobQueue:
    """Runs jobs in `workers` threads. At most `waiting` more jobs wait for one.

    `seconds` is the most that a job may wait and run.
    """

    def __init__(self, workers: int, waiting: int, seconds: float) -> None:
        self.places, self.workers, self.seconds = workers + waiting, workers, seconds
        self._jobs = 0
        self._lock = threading.Lock()
        self._pool = concurrent.futures.ThreadPoolExecutor(workers, 'generator')

    def waiting(self) -> int:
        """The number of jobs that wait."""
        return max(0, self._jobs - self.workers)

    def run(self, job: Job) -> typing.Any:
        """What `job()` returns.

        A job that is overdue cannot be interrupted: its thread and its place stay taken until it
        looks at `check`, or ends.

        Raises:
            Full: there is no place left.
            Overdue: the time is over.
        """
        with self._lock:
            if self._jobs >= self.places:
                raise Full
            self._jobs += 1
        end = time.monotonic() + self.seconds
        try:
            future = self._pool.submit(self._run, end, job)
        except RuntimeError as error:  # closed
            self._leave()
            raise Full from error
        done, _ = concurrent.futures.wait([future], self.seconds)
        if not done:
            if future.cancel():  # it has not begun
                self._leave()
            raise Overdue
        return future.result()

    def _run(self, end, job):
        _end.time = end
        try:
            check()
            return job()
        finally:
            self._leave()  # before the result is known: who has it may send the next job

    def _leave(self):
        with self._lock:
            self._jobs -= 1

    def close(self) -> None:
        """Waits for the jobs that run."""
        self._pool.shutdown()


def check() -> None:
    """Ends a job between two of its steps.

    Raises:
        Overdue: its time is over.
    """
    if time.monotonic() > _end.time:
        raise Overdue
