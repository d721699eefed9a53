"""The colors that people draw with: the most frequent flat colors of the training inputs."""

import colorsys
import typing

import numpy as np
from PIL import Image

LABELS, LINES, PHOTOS = 'labels', 'lines', 'photos'  # what the inputs are

_MOST = 16  # colors
_FLAT = 8  # largest step to a neighbor, of 255
_NEAR = 40  # distance at which two colors are the same one
_FEWEST = 0.001  # share of the flat pixels that makes a color one of the palette
_GRAY = 16  # largest difference between the channels of a gray

# The labels of the CMP facades, http://cmp.felk.cvut.cz/~tylecr1/facade/, and their colors: those
# of the archive, and those of `make demo`
_FACADES = {
    'background': ((0, 0, 222), (0, 0, 170)),
    'wall': ((0, 48, 255), (0, 0, 255)),
    'window': ((0, 128, 255), (0, 85, 255)),
    'door': ((0, 207, 255), (0, 170, 255)),
    'cornice': ((32, 255, 224), (0, 255, 255)),
    'sill': ((112, 255, 142), (85, 255, 170)),
    'balcony': ((192, 255, 63), (170, 255, 85)),
    'shutter': ((255, 239, 0),),
    'ornament': ((255, 159, 0),),
    'molding': ((255, 80, 0),),
    'pillar': ((255, 0, 0),),
    'shop': ((174, 0, 0), (170, 0, 0)),
}
_SAME = 12  # largest difference from such a color, of 255

Rgb = typing.Tuple[int, int, int]


class Color(typing.NamedTuple):
    """A color of the palette."""

    color: str  # '#0000ff'
    name: str


class Palette(typing.NamedTuple):
    """What to draw with."""

    kind: str  # LABELS, LINES or PHOTOS
    background: str  # '#0000aa'
    colors: typing.List[Color]


def _palette(kind, background, colors, names):
    colors = [Color(_hex(color), name) for color, name in zip(colors, names)]
    return Palette(kind, _hex(background), colors)


def find(inputs: typing.Sequence[Image.Image]) -> Palette:
    """The Palette of training inputs, images of mode RGB."""
    colors, counts, flat = _count([np.asarray(image) for image in inputs])
    found = _merge(colors, counts)
    if not found:
        return PLAIN
    first, share = found[0]
    covered = sum(share for _, share in found)
    if share > 0.5 and all(_is_gray(color) for color, _ in found):
        pen = (0, 0, 0) if sum(first) > 382 else (255, 255, 255)
        return _palette(LINES, first, [pen, first], ['pen', 'background'])
    kind = LABELS if flat > 0.5 and covered > 0.8 and len(found) > 2 else PHOTOS
    chosen = [color for color, _ in found]
    names = _facade_names(chosen)
    if names:  # in the order of the labels, which the page is known for
        order = list(_FACADES)
        names, chosen = zip(*sorted(zip(names, chosen), key=lambda pair: order.index(pair[0])))
        return _palette(kind, chosen[0], chosen, names)
    return _palette(kind, first, chosen, _distinct([describe(color) for color in chosen]))


def _count(images):
    """(colors [n, 3], counts [n], share of flat pixels) of the flat pixels, most frequent first."""
    packed, pixels = [], 0
    for image in images:
        values = image.astype(np.int32)
        down, across = (np.abs(np.diff(values, axis=axis)).max(axis=2) <= _FLAT for axis in (0, 1))
        flat = np.ones(values.shape[:2], bool)  # like all four neighbors
        flat[1:] &= down
        flat[:-1] &= down
        flat[:, 1:] &= across
        flat[:, :-1] &= across
        pixels += flat.size
        chosen = values[flat]
        packed.append(chosen[:, 0] << 16 | chosen[:, 1] << 8 | chosen[:, 2])
    unique, counts = np.unique(np.concatenate(packed), return_counts=True)
    order = np.argsort(-counts, kind='stable')[:4096]
    colors = np.stack([unique >> 16, unique >> 8 & 255, unique & 255], axis=1)
    return colors[order], counts[order], counts.sum() / max(pixels, 1)


def _merge(colors, counts):
    """[(color, share)]: each with those that are near to it, most frequent first."""
    found = []
    total = max(counts.sum(), 1)
    while len(counts) and len(found) < _MOST:
        top = np.argmax(counts)
        near = np.abs(colors - colors[top]).max(axis=1) <= _NEAR
        share = counts[near].sum() / total
        if share >= _FEWEST:
            found.append((tuple(int(_snap(value)) for value in colors[top]), float(share)))
        colors, counts = colors[~near], counts[~near]
    return sorted(found, key=lambda pair: -pair[1])


def _snap(value):
    """JPEG moves black and white a little."""
    return 0 if value <= 4 else 255 if value >= 251 else value


def _is_gray(color):
    return max(color) - min(color) <= _GRAY


def _hex(color):
    return '#' + ''.join(f'{value:02x}' for value in color)


def _facade_names(colors):
    """The labels of the facades for `colors`; None if one of them is no such label."""
    for variant in (0, -1):
        table = {name: labels[variant] for name, labels in _FACADES.items()}
        names = [
            name
            for color in colors
            for name, label in table.items()
            if max(abs(a - b) for a, b in zip(color, label)) <= _SAME
        ]
        if len(names) == len(set(names)) == len(colors) > 3:
            return names
    return None


def describe(color: Rgb) -> str:
    """A color in words, such as 'dark blue'."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*(value / 255 for value in color))
    if saturation < 0.15 or lightness < 0.06 or lightness > 0.97:
        for least, name in ((0.95, 'white'), (0.65, 'light gray'), (0.35, 'gray')):
            if lightness >= least:
                return name
        return 'dark gray' if lightness > 0.08 else 'black'
    hues = ('red', 'orange', 'yellow', 'green', 'green', 'turquoise', 'cyan', 'blue', 'blue')
    hues += ('violet', 'magenta', 'pink', 'red')
    name = hues[int(hue * 12 + 0.5)]
    return f'light {name}' if lightness > 0.7 else f'dark {name}' if lightness < 0.35 else name


def _distinct(names):
    """Names of which none is there twice."""
    result: typing.List[str] = []
    for name in names:
        before = sum(other.split(' (')[0] == name for other in result)
        result.append(f'{name} ({before + 1})' if before else name)
    return result


_GIVEN = [(0, 0, 0), (255, 255, 255), (128, 128, 128), (220, 50, 47), (38, 139, 210), (80, 160, 60)]
PLAIN = _palette(PHOTOS, (255, 255, 255), _GIVEN, [describe(color) for color in _GIVEN])
