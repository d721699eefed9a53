"""Workers that a process has started, and how they end."""

import subprocess
import sys
import tempfile

from pix2pix_tf.system.peers import Child


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
