"""Images whose bytes are damaged, the same ones each time."""

import struct
import zlib

import numpy as np
from PIL import Image
from support.encoding import encoded
from support.helpers import pair_pixels


def with_png_size(png, width, height):
    """A PNG file whose header says another size, with the checksum to match."""
    header = png[12:16] + struct.pack('>II', width, height) + png[24:29]
    return png[:12] + header + struct.pack('>I', zlib.crc32(header)) + png[33:]


def with_jpeg_size(jpeg, width, height):
    """A JPEG file whose frame header says another size."""
    at = jpeg.index(b'\xff\xc0') + 5
    return jpeg[:at] + struct.pack('>HH', height, width) + jpeg[at + 4 :]


# The first of the mutants, which are valid
WHOLE = (
    'rgb.jpg',
    'progressive.jpg',
    'grey.jpg',
    'cmyk.jpg',
    'rgb.png',
    'palette.png',
    'grey16.png',
    'animated.png',
)


def mutants():
    """500 (name, bytes): what can be in a folder of images, the same ones each time."""
    rng = np.random.RandomState(12)
    image = Image.fromarray(pair_pixels(2, 128, 64))
    grey16 = Image.fromarray((np.arange(64 * 128).reshape(64, 128) * 8).astype(np.uint16))
    whole = {
        'rgb.jpg': encoded(image, 'JPEG'),
        'progressive.jpg': encoded(image, 'JPEG', progressive=True),
        'grey.jpg': encoded(image.convert('L'), 'JPEG'),
        'cmyk.jpg': encoded(image.convert('CMYK'), 'JPEG'),
        'rgb.png': encoded(image, 'PNG'),
        'palette.png': encoded(image.convert('P'), 'PNG'),
        'grey16.png': encoded(grey16, 'PNG'),
        'animated.png': encoded(image, 'PNG', save_all=True, append_images=[image] * 3),
        'animated.jpg': encoded(
            image.convert('P'), 'GIF', save_all=True, append_images=[image.convert('P')] * 3
        ),
        'empty.jpg': b'',
        'empty.png': b'',
    }
    result = sorted(whole.items())
    bases = [name for name in sorted(whole) if whole[name]]
    while len(result) < 500:
        name = bases[rng.randint(len(bases))]
        contents = bytearray(whole[name])
        kind = len(result) % 4
        if kind == 0:
            contents = contents[: rng.randint(1, len(contents))]
        elif kind == 1:
            for _ in range(rng.randint(1, 20)):
                contents[rng.randint(len(contents))] ^= 1 << rng.randint(8)
        elif kind == 2:
            start = rng.randint(len(contents))
            contents[start : start + 16] = rng.bytes(rng.randint(40))
        else:
            sizes = [2, 126, 130, 4096, 65534]
            size = sizes[rng.randint(len(sizes))], sizes[rng.randint(len(sizes))]
            if name.endswith('.png'):
                contents = with_png_size(bytes(contents), *size)
            elif name in ('rgb.jpg', 'grey.jpg', 'cmyk.jpg'):
                contents = with_jpeg_size(bytes(contents), *size)
        result.append((f'{len(result)}-{name}', bytes(contents)))
    return result


def with_scans(jpeg, count):
    """A progressive JPEG file whose last scan comes `count` times."""
    start, end = jpeg.rindex(b'\xff\xda'), jpeg.rindex(b'\xff\xd9')
    return jpeg[:start] + jpeg[start:end] * count + jpeg[end:]


def with_chunks(png, count, kind=b'teSt'):
    """A PNG file with `count` empty chunks before its pixels."""
    chunk = struct.pack('>I', 0) + kind + struct.pack('>I', zlib.crc32(kind))
    return png[:33] + chunk * count + png[33:]


def compressed_bmp(width, height):
    """A BMP file of about 1 KB in the compression RLE8."""
    colors = bytes(1024)
    header = struct.pack('<IiiHHIIiiII', 40, width, height, 1, 8, 1, 20, 0, 0, 256, 0)
    data = b'\0\2\xff\xff' * 5
    size, start = 14 + 40 + len(colors) + len(data), 14 + 40 + len(colors)
    return b'BM' + struct.pack('<IHHI', size, 0, 0, start) + header + colors + data


def icon(contents):
    """An ICO file with one image, given by its bytes in the file."""
    entry = struct.pack('<BBBBHHII', 16, 16, 0, 0, 1, 32, len(contents), 22)
    return struct.pack('<HHH', 0, 1, 1) + entry + contents


def shared_tags(count, size):
    """A TIFF block of `size` bytes with `count` tags, each of which has nearly all of it."""
    tags = b''.join(
        struct.pack('<HHII', 40000 + number, 7, size - 10, 0) for number in range(count)
    )
    block = b'II*\0' + struct.pack('<IH', 8, count) + tags + bytes(4)
    return block + bytes(size - len(block))


def exif_block(orientation):
    """EXIF with this orientation only."""
    return b'Exif\0\0II*\0' + struct.pack('<IHHHIHHI', 8, 1, 0x0112, 3, 1, orientation, 0, 0)
