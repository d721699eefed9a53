"""Workers that a process has started, and how workers end."""

import json
import socket
import subprocess
import sys
import tempfile
import threading
import time

import pytest
from helpers import wait_until

from pix2pix_tf.cli import workers
from pix2pix_tf.system.peers import AGAIN, Child, Cluster, Peers


def start(code):
    errors = tempfile.TemporaryFile('w+')  # noqa: SIM115
    return Child(subprocess.Popen([sys.executable, '-c', code], stderr=errors), errors)


def test_the_last_words_of_a_worker_are_kept():
    child = start('import sys; sys.stderr.write("one\\ntwo\\n\\n"); sys.exit(3)')
    assert child.end(60) == 'two'
    assert child.process.returncode == 3


def test_a_worker_that_does_not_end_is_killed():
    child = start('import time; time.sleep(1000)')
    assert child.end(0) == ''
    assert child.process.returncode == -9


def test_who_is_done_first_leaves_with_the_last():
    """What the first has computed may still be on its way to the others."""
    addresses, events, lost = workers.free_addresses(2), [], []
    both = [Peers(Cluster(addresses, task), lost.append) for task in range(2)]
    joining = [
        threading.Thread(target=peers.join, args=({}, threading.Event(), events.append))
        for peers in both
    ]
    for thread in joining:
        thread.start()
    for thread in joining:
        thread.join()

    def leave():
        both[0].close()
        events.append('first')

    leaving = threading.Thread(target=leave)
    leaving.start()
    wait_until(lambda: both[1]._over == {0}, 'the word that the first is done')
    events.append('last')
    both[1].close()
    leaving.join(60)
    assert events == ['last', 'first'] and lost == []


def test_whoever_comes_last_is_waited_for(monkeypatch):
    """Longer than a worker may be silent that trains."""
    monkeypatch.setattr('pix2pix_tf.system.peers.SILENCE', 3)
    addresses, lost, ends = workers.free_addresses(3), [], []
    three = [Peers(Cluster(addresses, task), lost.append) for task in range(3)]

    def join(peers):
        ends.append(peers.join({}, threading.Event(), lost.append))

    joining = [threading.Thread(target=join, args=[peers]) for peers in three]
    for thread in joining[:2]:
        thread.start()
    wait_until(lambda: len(three[0].greetings) == len(three[1].greetings) == 2, 'the first two')
    end = time.monotonic() + 4
    wait_until(lambda: lost or time.monotonic() > end, 'a loss, or the end of a silence')
    joining[2].start()
    for thread in joining:
        thread.join(60)
    assert (ends, lost) == ([True] * 3, [])
    leaving = [threading.Thread(target=peers.close) for peers in three]
    for thread in leaving:
        thread.start()
    for thread in leaving:
        thread.join(60)


@pytest.fixture
def three():
    """(Peers of worker 0, connections of workers 1 and 2 to it, the losses that it reports)."""
    addresses, lost = workers.free_addresses(3), []
    peers = Peers(Cluster(addresses, 0), lost.append)
    host, port = addresses[0].split(':')
    others = {}
    for task in (1, 2):
        others[task] = socket.create_connection((host, int(port) + 1), timeout=60)
        greeting = json.dumps({'task': task, 'workers': list(addresses)})
        others[task].sendall(greeting.encode() + b'\n')
    assert peers.join({}, threading.Event(), lost.append)
    yield peers, others, lost
    peers.close()
    for connection in others.values():
        connection.close()


def test_who_loses_a_worker_tells_the_others_which(three):
    peers, others, lost = three
    others[2].close()
    wait_until(lambda: lost, 'the loss')
    peers.tell('the test ends')
    with others[1].makefile('rb') as lines:
        messages = (json.loads(line) for line in lines if line.strip())
        said = next(message['ended'] for message in messages if 'ended' in message)
    assert lost == [said] == [f'{peers.name(2)} ended; {AGAIN}']


def test_the_first_loss_is_the_one_that_counts(three):
    peers, others, lost = three
    others[2].close()
    wait_until(lambda: lost, 'the loss')
    others[1].close()
    wait_until(lambda: peers._over == {1, 2}, 'the end of the other')
    assert lost == [f'{peers.name(2)} ended; {AGAIN}']
