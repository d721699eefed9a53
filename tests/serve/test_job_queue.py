"""Jobs that wait for a thread."""

import threading

import pytest
from support.clients import together
from support.helpers import wait_until

from pix2pix_tf.serve import job_queue
from pix2pix_tf.serve.job_queue import Full, JobQueue, Overdue


def test_jobs_beyond_the_places_are_rejected_at_once():
    jobs, gate = JobQueue(1, 1, 60), threading.Event()

    def work(number):
        if number == 2:
            wait_until(lambda: jobs.waiting() == 1, 'both')
            with pytest.raises(Full):
                jobs.run(lambda: 0)
            gate.set()
            return 'rejected'
        return jobs.run(lambda: gate.wait(30))

    assert together(3, work) == [True, True, 'rejected']
    assert jobs.waiting() == 0
    jobs.close()


def test_an_overdue_job_keeps_its_place_until_it_ends():
    jobs, gate = JobQueue(1, 0, 5), threading.Event()

    def job():
        gate.wait(30)
        job_queue.check_time()

    with pytest.raises(Overdue):
        jobs.run(job)
    with pytest.raises(Full):
        jobs.run(job)
    gate.set()
    wait_until(lambda: not jobs._jobs, 'its end')
    jobs.seconds = 60
    assert jobs.run(lambda: 5) == 5
    jobs.close()


def test_an_error_of_a_job_is_raised():
    jobs = JobQueue(1, 0, 60)
    with pytest.raises(ZeroDivisionError):
        jobs.run(lambda: 1 / 0)
    jobs.close()
