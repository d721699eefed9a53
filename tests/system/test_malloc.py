"""The memory that TensorFlow frees: kept for the next op, and given back in time."""

import subprocess
import sys

import numpy as np
import pytest
from support.helpers import ROOT, SMALL_FLAGS, fork_command, wait_for

from pix2pix_tf import training

HEAP = """
import ctypes
from pix2pix_tf.system import machine

def resident():  # in MiB
    with open('/proc/self/status') as status:
        return [int(line.split()[1]) for line in status if line.startswith('RssAnon')][0] / 1024

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
machine.keep_freed_blocks()
before = resident()
block = ctypes.c_void_p(libc.malloc(64 << 20))
ctypes.memset(block, 1, 64 << 20)
libc.free(block)
kept = resident() - before
machine.trim()
print(kept, resident() - before)
"""


@pytest.mark.parametrize('environment, kept', [({}, True), ({'MALLOC_ARENA_MAX': '1'}, False)])
def test_freed_blocks_are_kept_until_trimmed_unless_the_environment_says_how(environment, kept):
    result = subprocess.run(
        [sys.executable, '-c', HEAP],
        stdout=subprocess.PIPE,
        universal_newlines=True,
        check=True,
        env=dict(environment, PYTHONPATH=ROOT),
    )
    after_free, after_trim = map(float, result.stdout.split())
    assert (after_free > 60) == kept
    assert after_trim < 10


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_memory_stays_flat(pairs, tmp_path):
    """Over 450 steps, the resident size grows by less than 4 KiB each."""
    freq = training.TRIM_FREQ  # a report then comes right after the free memory was returned
    flags = [f'--data={pairs}', f'--out={tmp_path}', '--ngf=1', '--ndf=1', '--max_epochs=1000']
    flags += SMALL_FLAGS
    flags += [f'--progress_freq={freq}', '--display_freq=0', '--save_freq=100000']
    process = fork_command('train', *flags)
    sizes = {}
    for step in range(freq, 1000, freq):
        wait_for(process, 'progress')
        with open(f'/proc/{process.pid}/status') as status:
            [sizes[step]] = [int(line.split()[1]) for line in status if line.startswith('VmRSS')]
    process.terminate()
    process.communicate()
    assert process.returncode == 0
    # The size depends on which op is at work when it is read: the least of seven reports each.
    before, after = (
        np.min([sizes[step] for step in range(start, start + 7 * freq, freq)])
        for start in (200, 650)
    )
    assert after - before < 4 * 450, (before, after)
