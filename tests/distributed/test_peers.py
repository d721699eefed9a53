"""Workers that a process has started, how workers find each other, and how they end."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import pytest
from support.helpers import start_process, wait_for, wait_until

from pix2pix_tf.distributed import json_lines, launch
from pix2pix_tf.distributed import peers as peers_module
from pix2pix_tf.distributed.peers import AGAIN, Child, Cluster, Peers


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
    addresses, events, lost = launch.free_addresses(2), [], []
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


def connect(addresses, task):
    """A connection to worker 0 that greets as number `task`."""
    host, port = addresses[0].split(':')
    connection = socket.create_connection((host, int(port) + 1), timeout=60)
    json_lines.send(connection, dict(GREETING, task=task, workers=list(addresses)))
    return connection


def test_whoever_waits_for_the_last_says_that_it_lives():
    """The others must not give it up meanwhile."""
    addresses, lost, ends = launch.free_addresses(3), [], []
    peers = Peers(Cluster(addresses, 0), lost.append)

    def join():
        ends.append(peers.join({}, threading.Event(), str))

    joining = threading.Thread(target=join)
    joining.start()
    with connect(addresses, 1) as first, first.makefile('rb') as lines:
        received = [json_lines.receive(lines) for _ in range(3)]
        assert received[0]['task'] == 0 and received[1:] == [{}, {}]
        with connect(addresses, 2):
            joining.join(60)
            assert (ends, lost) == ([True], [])
            peers.tell('the test ends')


GREETING = {'options': {'ngf': 4}, 'pairs': 5, 'step': 0, 'seed': 1}

STRANGE = [
    b'GET / HTTP/1.1\r\n\r\n',
    b'[' * 60000 + b'\n',
    b'{"a":' * 10000 + b'\n',
    b'[]\n',
    b'\n',
    b'\xff\xfe\x00\n',
    b'{"service": "another", "task": 1}\n',
    b'{"refused": ["no"]}\n',
]


def incomplete(addresses, task):
    """Greetings of worker `task` that lack a field, or have one of another type."""
    whole = dict(GREETING, task=task, workers=list(addresses))
    broken = [{k: v for k, v in whole.items() if k != name} for name in whole]
    broken += [dict(whole, **{name: None}) for name in whole]
    broken += [dict(whole, task=[task]), dict(whole, task=True), dict(whole, step='0')]
    return [json.dumps(message).encode() + b'\n' for message in broken]


@pytest.fixture
def no_tracebacks(monkeypatch):
    """No thread ends with an exception."""
    ended = []
    report = threading.excepthook if hasattr(threading, 'excepthook') else None
    if report:
        monkeypatch.setattr(threading, 'excepthook', lambda args: ended.append(args.exc_value))
    yield
    assert ended == []


def join_in_thread(peers):
    """(A thread that joins, its results, its lines)."""
    results, lines = [], []
    thread = threading.Thread(
        target=lambda: results.append(peers.join(GREETING, threading.Event(), lines.append))
    )
    thread.start()
    return thread, results, lines


def test_what_does_not_greet_like_a_worker_is_closed_and_named_once(no_tracebacks, capfd):
    addresses = launch.free_addresses(2)
    peers = Peers(Cluster(addresses, 0), str)
    thread, results, lines = join_in_thread(peers)
    host, port = addresses[0].split(':')
    for words in [b'', *STRANGE, *incomplete(addresses, 1)]:
        with socket.create_connection((host, int(port) + 1), timeout=60) as stranger:
            stranger.sendall(words)
            stranger.shutdown(socket.SHUT_WR)
            assert received_until_closed(stranger) == b''
    with connect(addresses, 1):
        thread.join(60)
        peers.tell('the test ends')
    assert results == [True]
    named = [line for line in lines if 'waiting for' not in line]
    there = f'127.0.0.1:{int(port) + 1}'
    assert named == [f'127.0.0.1 is not a worker, but connected to {there}: closed']
    assert capfd.readouterr().err == ''


def received_until_closed(connection):
    """What comes until the other end closes; a reset, for unread bytes, is such an end."""
    received = b''
    try:
        for part in iter(lambda: connection.recv(4096), b''):
            received += part
    except ConnectionResetError:
        pass
    return received


def test_another_program_on_the_port_of_a_worker_is_named_once(no_tracebacks, capfd, monkeypatch):
    """It answers each connection first, with something else; then the worker replaces it."""
    monkeypatch.setattr(peers_module, '_RETRY', 0.01)
    addresses = launch.free_addresses(2)
    host, port = addresses[0].split(':')
    listener = json_lines.listen(host, int(port) + 1)
    peers = Peers(Cluster(addresses, 1), str)
    thread, results, lines = join_in_thread(peers)
    for words in [*STRANGE, *incomplete(addresses, 0), *incomplete(addresses, 1)[:1]]:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(words)
            connection.shutdown(socket.SHUT_WR)
            received_until_closed(connection)
    connection, _ = listener.accept()
    with connection:
        json_lines.send(connection, dict(GREETING, task=0, workers=list(addresses)))
        thread.join(60)
        peers.tell('the test ends')
    listener.close()
    assert results == [True]
    named = [line for line in lines if 'waiting for' not in line]
    assert named == [
        f'127.0.0.1:{int(port) + 1} is not the second port of worker 0 ({addresses[0]}): another '
        'program answers there; end it, or give `workers` other ports'
    ]
    assert capfd.readouterr().err == ''


SUSPENDED = """
import os, sys, threading
from pix2pix_tf.distributed import peers
peers._BEAT, peers.SILENCE = 0.05, 2.0
def leave(line):
    print(line, flush=True)
    os._exit(1)
mine = peers.Peers(peers.Cluster(tuple(sys.argv[2:]), int(sys.argv[1])), leave)
assert mine.join({}, threading.Event(), str)
print('joined', flush=True)
sys.stdin.read()
mine.close()
"""


@pytest.fixture
def joined():
    """Two processes that watch each other, each of which may be silent for 2 s."""
    addresses = launch.free_addresses(2)
    both = [
        start_process(sys.executable, '-c', SUSPENDED, str(task), *addresses, stdin=subprocess.PIPE)
        for task in range(2)
    ]
    for process in both:
        wait_for(process, 'joined')
    return both


def test_workers_that_were_suspended_together_go_on(joined):
    """As by Ctrl-Z, for longer than a worker may be silent."""
    for process in joined:
        process.send_signal(signal.SIGSTOP)
    time.sleep(2.5)
    for process in joined:
        time.sleep(0.5)  # one is awake before the other
        process.send_signal(signal.SIGCONT)
    for process in joined:
        process.stdin.close()
    for process in joined:
        assert (process.wait(60), process.stdout.read(), process.stderr.read()) == (0, '', '')


def test_a_worker_that_was_suspended_alone_is_given_up(joined):
    joined[1].send_signal(signal.SIGSTOP)
    assert 'has said nothing for 2 s' in wait_for(joined[0], '(127.0.0.1:')
    assert joined[0].wait(60) == 1
    joined[1].send_signal(signal.SIGCONT)
    assert 'has said nothing for 2 s' in wait_for(joined[1], '(127.0.0.1:')


@pytest.fixture
def three():
    """(Peers of worker 0, connections of workers 1 and 2 to it, the losses that it reports)."""
    addresses, lost = launch.free_addresses(3), []
    peers = Peers(Cluster(addresses, 0), lost.append)
    others = {task: connect(addresses, task) for task in (1, 2)}
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
        received = (json.loads(line) for line in lines if line.strip())
        said = next(message['ended'] for message in received if 'ended' in message)
    assert lost == [said] == [f'{peers.name(2)} ended; {AGAIN}']


def test_the_first_loss_is_the_one_that_counts(three):
    peers, others, lost = three
    others[2].close()
    wait_until(lambda: lost, 'the loss')
    others[1].close()
    wait_until(lambda: peers._over == {1, 2}, 'the end of the other')
    assert lost == [f'{peers.name(2)} ended; {AGAIN}']


def test_a_process_that_a_loss_ends_does_not_speak_for_itself(three):
    peers, others, lost = three
    begun, go_on, events = threading.Event(), threading.Event(), []

    def leave(reason):  # as Replica does: it never returns
        begun.set()
        go_on.wait(60)
        events.append('left')

    def tell():
        peers.tell('mine')
        events.append('told')

    peers.on_loss = leave
    others[2].close()
    assert begun.wait(60)
    telling = threading.Thread(target=tell)
    telling.start()
    telling.join(0.5)
    assert telling.is_alive()
    go_on.set()
    telling.join(60)
    assert events == ['left', 'told']
