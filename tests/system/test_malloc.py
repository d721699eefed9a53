import subprocess
import sys

import pytest
from conftest import ROOT

HEAP = """
import ctypes
from pix2pix_tf.system import malloc

def resident():  # in MiB
    with open('/proc/self/status') as status:
        return [int(line.split()[1]) for line in status if line.startswith('VmRSS')][0] / 1024

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
malloc.keep()
before = resident()
block = ctypes.c_void_p(libc.malloc(64 << 20))
ctypes.memset(block, 1, 64 << 20)
libc.free(block)
kept = resident() - before
malloc.trim()
print(kept, resident() - before)
"""


@pytest.mark.parametrize('environment, kept', [({}, True), ({'MALLOC_ARENA_MAX': '1'}, False)])
def test_freed_blocks_are_kept_until_trimmed_unless_the_environment_says_how(environment, kept):
    result = subprocess.run(
        [sys.executable, '-c', HEAP], stdout=subprocess.PIPE, universal_newlines=True, check=True,
        env=dict(environment, PYTHONPATH=ROOT),
    )  # fmt: skip
    after_free, after_trim = map(float, result.stdout.split())
    assert (after_free > 60) == kept
    assert after_trim < 10
