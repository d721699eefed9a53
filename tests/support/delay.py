"""Cables between this machine and its network namespaces that delay what they carry; not a test.

delay.py SECONDS DEVICE NAMESPACE [DEVICE NAMESPACE ...]: a cable joins each TAP device of this
machine to `eth0`, a TAP device, too, of a namespace. What goes in at one end comes out at the other
so many seconds later.
"""

import collections
import fcntl
import os
import select
import struct
import sys
import time

from fork_server import enter_network

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000  # linux/if_tun.h


def open_device(name):
    file = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(file, TUNSETIFF, struct.pack('16sH22x', name.encode(), IFF_TAP | IFF_NO_PI))
    return file


def carry(seconds, opposite):
    """Forever, with {the file of an end: that of the other}."""
    frames = collections.deque()  # (when it is due, where, the frame), in the order of time
    while True:
        patience = max(0, frames[0][0] - time.monotonic()) if frames else None
        ready, _, _ = select.select(list(opposite), [], [], patience)
        now = time.monotonic()
        for end in ready:
            frames.append((now + seconds, opposite[end], os.read(end, 65536)))
        while frames and frames[0][0] <= now:
            _, end, frame = frames.popleft()
            os.write(end, frame)


def main(seconds, *names):
    opposite = {}
    for device, namespace in zip(names[::2], names[1::2]):
        here = open_device(device)
        enter_network(f'/run/netns/{namespace}')
        there = open_device('eth0')
        enter_network(f'/proc/{os.getppid()}/ns/net')
        opposite.update({here: there, there: here})
    print('ready', flush=True)
    carry(float(seconds), opposite)


if __name__ == '__main__':
    main(*sys.argv[1:])
