"""The bytes of each pair, from its sources. Every function here runs in a worker process."""

import contextlib
import hashlib
import typing

import numpy as np
from PIL import Image

from pix2pix_tf.pairs import hashing, inputs, read, shaping
from pix2pix_tf.pairs.match import Sources
from pix2pix_tf.system.errors import DataError

_SAMPLED = 8  # sources by which label maps are found


class Settings(typing.NamedTuple):
    """How the halves and the file of a pair are made."""

    shape: shaping.Shape = shaping.Shape()
    extension: str = 'jpg'
    quality: int = 95  # of JPEG
    labels: str = 'none'  # which halves are label maps: a, b, both or none
    kind: str = 'edges'  # of a computed input
    computing: inputs.Settings = inputs.Settings()
    seed: int = 0
    panels: typing.Tuple[str, ...] = ('a', 'b')  # of a source, from left to right


def make(settings: Settings, sources: Sources) -> typing.Tuple[bytes, ...]:
    """A photo and the input that is computed from it.

    Raises:
        DataError: the photo cannot be used; the message begins with its path.
    """
    photo = _half(settings, sources.paths[0])
    name = f'{settings.seed}/{sources.key}'.encode('utf-8', 'surrogateescape')
    rng = np.random.RandomState(list(hashlib.sha256(name).digest()))
    half = inputs.KINDS[settings.kind](photo, settings.computing, rng)
    return (_pair(settings, sources, photo, half),)


def combine(settings: Settings, sources: Sources) -> typing.Tuple[bytes, ...]:
    """A and B from two files. B gets the size of A.

    Raises:
        DataError: one of them cannot be used; the message begins with its path.
    """
    a, b = (
        _half(settings, path, settings.labels in (side, 'both'))
        for path, side in zip(sources.paths, 'ab')
    )
    if b.size != a.size:
        labels = settings.labels in ('b', 'both')
        b = b.resize(a.size, Image.NEAREST if labels else Image.LANCZOS)
    return (_pair(settings, sources, a, b),)


def split(settings: Settings, sources: Sources) -> typing.Tuple[bytes, ...]:
    """The halves of a pair, as two PNG files.

    Raises:
        DataError: it cannot be split; the message begins with its path.
    """
    halves = _panels(sources.paths[0], 'ab')
    return tuple(shaping.encoded(halves[side], 'png') for side in 'ab')


def rearrange(settings: Settings, sources: Sources) -> typing.Tuple[bytes, ...]:
    """A pair from the `panels` of one file.

    Raises:
        DataError: it cannot be split; the message begins with its path.
    """
    halves = _panels(sources.paths[0], settings.panels)
    a, b = (
        shaping.shaped(halves[side], settings.shape, settings.labels in (side, 'both'))
        for side in 'ab'
    )
    return (_pair(settings, sources, a, b),)


def find_labels(sources: typing.Sequence[Sources], *panels: typing.Sequence[str]) -> str:
    """Which halves are label maps, by the colors of the first few files: a, b, both or none.

    `panels` are those of each file of a source, from left to right.
    """
    labels = {'a': True, 'b': True}
    for one in sources[:_SAMPLED]:
        for path, names in zip(one.paths, panels):
            with contextlib.suppress(DataError):  # named when it is its turn
                for side, image in _panels(path, names).items():
                    labels[side] = labels[side] and shaping.has_labels(image)
    found = ''.join(side for side in 'ab' if labels[side])
    return {'ab': 'both', '': 'none'}.get(found, found)


def first_hash(settings: Settings, sources: Sources) -> bytes:
    """The perceptual hash of A as the pair will have it, or of B if A is a label map.

    Raises:
        DataError: the file cannot be read; the message begins with its path.
    """
    path = sources.paths[1 if settings.labels == 'a' else 0]
    return hashing.perceptual_hash(_half(settings, path))


def _half(settings, path, labels=False):
    side = None if labels else settings.shape.size
    image = read.read_for_pair(path, srgb=not labels, side=side)
    return shaping.shaped(image, settings.shape, labels)


def _panels(path, panels):
    """{panel: its image} of a file, without '-'."""
    image = read.read_for_pair(path)
    width, remainder = divmod(image.width, len(panels))
    if remainder or not width:
        raise DataError(
            f'{path} is {image.width} pixels wide, so it cannot be split into {len(panels)}'
        )
    return {
        panel: image.crop((number * width, 0, (number + 1) * width, image.height))
        for number, panel in enumerate(panels)
        if panel != '-'
    }


def _pair(settings, sources, a, b):
    try:
        pair = shaping.joined(a, b)
    except DataError as error:
        raise DataError(f'{sources.paths[0]} {error}') from error
    return shaping.encoded(pair, settings.extension, settings.quality)
