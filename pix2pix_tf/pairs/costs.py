"""Small files that would cost minutes or gigabytes to decode, found by their structure."""

import io
import re
import struct
from typing import BinaryIO, Optional

MAX_SIDE = 65535  # pixels, the most that JPEG has
MAX_SCANS = 100  # of a JPEG file; encoders write about 10. Each one passes over all pixels
MAX_PARTS = 2**16  # segments of a JPEG file before its first scan, chunks of a PNG file
MAX_TAG_BYTES = 2**24  # of the tags of a TIFF file that is smaller

_PNG = b'\x89PNG\r\n\x1a\n'
_TAG_SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)  # bytes, by type
_MARKER = re.compile(b'\xff+([^\x00\x01\xff\xd0-\xd7])', re.S)  # in the data of a scan


def fault_of(file: BinaryIO) -> Optional[str]:
    """Why the image in a seekable file is too expensive to decode, in words; None if it is not.

    A file that is damaged, or in another format, has no such fault: its decoder says so.
    """
    head = file.read(16)
    if head[:3] == b'\xff\xd8\xff':
        return _jpeg_fault(file)
    if head[:8] == _PNG:
        return _png_fault(file)
    if head[:4] == b'\0\0\1\0':
        return _icon_fault(file)
    if head[:4] in (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+'):
        return _tiff_fault(file, '<' if head[:2] == b'II' else '>', b'+' in head[:4])
    return None


def _jpeg_fault(file):
    """Follows the segments up to the first scan, and from there the markers, as libjpeg does."""
    file.seek(2)
    sequential, components = False, 0
    for _ in range(MAX_PARTS):
        marker = file.read(2)
        if len(marker) < 2 or marker == b'\xff\xd9':
            return None
        if marker[0] != 0xFF or marker[1] in (0, 0xFF):  # both decoders skip a byte
            file.seek(-1, io.SEEK_CUR)
            continue
        kind = marker[1]
        if kind == 1 or 0xD0 <= kind <= 0xD8:  # without a length
            continue
        length, body = _short(file.read(2)), file.read(6)
        if kind == 0xDA:
            if sequential and body[:1] == bytes([components]):
                return None  # its only scan
            return _scans_fault(file.read())
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):  # the frame
            sequential, components = kind in (0xC0, 0xC1), body[5] if len(body) > 5 else 0
        file.seek(max(length - 2, 0) - len(body), io.SEEK_CUR)
    return f'has over {MAX_PARTS} segments: save it again'


def _scans_fault(data):
    scans, at = 1, 0
    while scans <= MAX_SCANS:
        found = _MARKER.search(data, at)
        if not found or found.group(1) == b'\xd9':
            return None
        scans += found.group(1) == b'\xda'
        at = found.end() + max(2, _short(data[found.end() : found.end() + 2]))
    return f'has over {MAX_SCANS} scans, each over all of its pixels: save it again'


def _short(two):
    return int.from_bytes(two, 'big')


def _png_fault(file, start=0):
    length = file.seek(0, io.SEEK_END) - start
    file.seek(start + 8)
    for _ in range(min(MAX_PARTS, length // 12 + 1)):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b'IEND':
            return None
        file.seek(struct.unpack('>I', head[:4])[0] + 4, io.SEEK_CUR)
    return f'has over {MAX_PARTS} chunks: save it again' if length >= 12 * MAX_PARTS else None


def _icon_fault(file):
    """Of the images inside, which Pillow decodes with the header."""
    file.seek(4)
    entries = file.read(2 + 16 * 256)[2:]
    for entry in range(0, len(entries) - 15, 16):
        start = struct.unpack_from('<I', entries, entry + 12)[0]
        file.seek(start)
        header = file.read(20)
        if header[:8] == _PNG:
            fault = _png_fault(file, start)
            if fault:
                return fault
        elif len(header) == 20 and header[:4] == b'\x28\0\0\0' and header[16] in (1, 2):
            return COMPRESSED_BMP
    return None


COMPRESSED_BMP = 'has the compression of BMP: save it as PNG'


def _tiff_fault(file, order, big):
    """Of tags that share their bytes: older Pillows read each of them into memory."""
    length = file.seek(0, io.SEEK_END)
    entry, count, first = ('HHQQ', 'Q', 8) if big else ('HHII', 'H', 4)
    entry, count, offset = order + entry, order + count, order + ('Q' if big else 'I')
    file.seek(first)
    try:
        file.seek(struct.unpack(offset, file.read(struct.calcsize(offset)))[0])
        [number] = struct.unpack(count, file.read(struct.calcsize(count)))
        tags = file.read(struct.calcsize(entry) * min(number, MAX_PARTS))
    except (struct.error, OverflowError, OSError):
        return None
    total = 0
    for at in range(0, len(tags) - struct.calcsize(entry) + 1, struct.calcsize(entry)):
        _, kind, values, start = struct.unpack_from(entry, tags, at)
        size = values * (_TAG_SIZES[kind] if kind < len(_TAG_SIZES) else 0)
        total += size if start + size <= length else 0
    if total > max(length, MAX_TAG_BYTES):
        return f'has tags of {total} bytes, more than the file: save it again'
    return None
