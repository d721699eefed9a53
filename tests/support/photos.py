"""Photos to make pairs of, and what has been made of them."""

import os

import numpy as np
from PIL import Image
from support.helpers import run_command


def write_photo(path, seed=0, size=(48, 32), **options):
    """An image of blocks: near-duplicates are found by what is coarse in them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.RandomState(seed).randint(0, 256, (12, 12, 3)).astype(np.uint8)
    Image.fromarray(blocks).resize(size, Image.BILINEAR).save(str(path), **options)


LABELS = np.array([[0, 0, 170], [0, 85, 255], [170, 255, 85]], np.uint8)  # colors of a label map


def write_labels(path, size=(48, 32)):
    """A label map at `path`; returns its pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = LABELS[np.random.RandomState(3).randint(0, 3, (size[1], size[0]))]
    Image.fromarray(labels).save(str(path))
    return labels


def run_pairs(command, *flags):
    """Runs a command of pix2pix-pairs in one process."""
    return run_command('pairs', command, *flags, '--processes=1')


def tree(folder):
    """{path below the folder: bytes} of all visible, finished files."""
    found = {}
    for where, _, names in os.walk(str(folder)):
        for name in names:
            if not name.startswith('.'):
                path = os.path.join(where, name)
                with open(path, 'rb') as file:
                    found[os.path.relpath(path, str(folder))] = file.read()
    return found


def make(photos, to, *flags, **options):
    return run_command('pairs', 'make', f'--photos={photos}', f'--to={to}', *flags, **options)


def pair_of(path):
    with Image.open(str(path)) as image:
        pixels = np.array(image.convert('RGB')).astype(int)
    return np.split(pixels, 2, axis=1)
