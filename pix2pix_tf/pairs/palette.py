"""The most frequent colors of label maps or line drawings, and a cleared sheet to draw one on."""

import colorsys
import itertools
from typing import List, NamedTuple, Sequence, Tuple

import numpy as np
from PIL import Image

LABELS, LINES, PHOTOS, UNKNOWN = 'labels', 'lines', 'photos', 'unknown'  # kinds of inputs
FILES = 'files'  # inputs that the page cannot draw: of several panels, gray, or of 16 bits

MOST = 16  # colors
_FLAT = 8  # largest difference from a neighbor, of 255
_NEAR = 40  # largest difference between colors that count as one
_FEWEST = 0.001  # share of the flat pixels that makes a color part of the palette
_GRAY = 16  # largest difference between the channels of a gray
_ROWS = 64  # of an input, to find the most frequent layout
_FEWEST_ROWS = 4  # of a band
# Least share of the pixels of a pair's input that have a color of the palette, and how much less it
# is at least in the target. Files in JPEG have many pixels of other colors between the labels.
_OF_LABELS, _LESS = 0.5, 0.4
_OF_LINES = 0.8

# The labels of the CMP facades, http://cmp.felk.cvut.cz/~tylecr1/facade/, with their colors in the
# archive and, if it draws them, in `make demo`
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
_HUES = (
    *('red', 'orange', 'yellow', 'green', 'green', 'turquoise', 'cyan', 'blue', 'blue'),
    *('violet', 'magenta', 'pink', 'red'),
)

Rgb = Tuple[int, ...]
# Bands from top to bottom: (share of the height where the band starts, color)
Sheet = List[Tuple[float, str]]


class Color(NamedTuple):
    """A color of the palette."""

    color: str  # '#0000ff'
    name: str


class Palette(NamedTuple):
    """The colors of a set of images."""

    kind: str  # LABELS, LINES, PHOTOS, UNKNOWN or FILES
    background: str  # '#0000aa'
    colors: List[Color]


def named(colors: Sequence[Rgb]) -> List[Color]:
    """Colors with their names: those of the labels of facades, or else in words."""
    names = _facade_names(colors) or _unique([color_name(color) for color in colors])
    return [Color(_hex(color), name) for color, name in zip(colors, names)]


def _palette(kind, background, colors, names):
    colors = [Color(_hex(color), name) for color, name in zip(colors, names)]
    return Palette(kind, _hex(background), colors)


def _hex(color):
    return '#' + ''.join(f'{value:02x}' for value in color)


def rgb(color: str) -> Rgb:
    """'#0000aa' => (0, 0, 170)."""
    return tuple(int(color[at : at + 2], 16) for at in (1, 3, 5))


def find(inputs: Sequence[Image.Image]) -> Palette:
    """The Palette of training inputs, images of mode RGB."""
    flat = np.concatenate([_flat_pixels(image) for image in inputs])
    found, covered = _most_frequent(flat)
    if not found:
        return PLAIN._replace(kind=PHOTOS)
    background, share = found[0]
    colors = [color for color, _ in found]
    gray = all(max(color) - min(color) <= _GRAY for color in colors)
    if share > 0.5 and gray and not 64 < background[0] < 192:  # paper, or a blackboard
        pen = (0, 0, 0) if sum(background) > 382 else (255, 255, 255)
        return _palette(LINES, background, [pen, background], ['pen', 'background'])
    is_flat = len(flat) > 0.5 * sum(image.width * image.height for image in inputs)
    kind = LABELS if is_flat and covered > 0.9 and len(found) > 2 else PHOTOS
    names = _facade_names(colors)
    if not names:
        return _palette(kind, background, colors, _unique([color_name(c) for c in colors]))
    # In the order of the labels, the first of which is the background
    order = list(_FACADES)
    names, colors = zip(*sorted(zip(names, colors), key=lambda pair: order.index(pair[0])))
    return _palette(kind, colors[0], colors, names)


def layout(inputs: Sequence[Image.Image], found: Palette) -> Sheet:
    """The Sheet of a cleared drawing, from training inputs of mode RGB and their Palette.

    For label maps, it has the two colors whose bands have the right color for the most pixels: for
    facades, the background above and the wall below. An input of one color would be unlike any that
    the model was trained on.
    """
    if found.kind != LABELS:
        return [(0.0, found.background if found.kind == LINES else '#ffffff')]
    counts = sum(_count_in_rows(image, found) for image in inputs)  # [rows, colors]
    pairs = list(itertools.combinations(range(len(found.colors)), 2))
    two = list(max(pairs, key=lambda pair: counts[:, pair].max(axis=1).sum()))
    rows = np.take(two, counts[:, two].argmax(axis=1))
    starts = [0, *(int(row) + 1 for row in np.flatnonzero(np.diff(rows)))]
    sheet: Sheet = []
    for start, end in zip(starts, [*starts[1:], _ROWS]):
        color = found.colors[rows[start]].color
        if end - start >= _FEWEST_ROWS and not (sheet and sheet[-1][1] == color):
            sheet.append((start / _ROWS if sheet else 0.0, color))
    return sheet or [(0.0, found.colors[two[0]].color)]


def is_pair(a: Image.Image, b: Image.Image, found: Palette) -> bool:
    """Whether `a` is an input of a model with that palette, and `b`, of mode RGB as well, is none.

    It is not known of models of photos: both halves of their pairs may be any photos.
    """
    if found.kind not in (LABELS, LINES):
        return False
    colored, other = (_share_of_palette(half, found) for half in (a, b))
    if found.kind == LABELS:
        return colored >= _OF_LABELS and other < colored - _LESS
    return colored >= _OF_LINES and 1 - other > 2 * (1 - colored) + 0.05  # photos on white, too


def fits(image: Image.Image, found: Palette) -> bool:
    """Whether an image of mode RGB looks like an input of a model with that palette."""
    least = {LABELS: _OF_LABELS, LINES: _OF_LINES}.get(found.kind, 0)
    return _share_of_palette(image, found) >= least


def _share_of_palette(image, found):
    """The share of the pixels that have about a color of the palette."""
    colors = np.array([rgb(color.color) for color in found.colors])
    pixels = np.asarray(image.resize((128, 128), Image.NEAREST), int)
    return (np.abs(pixels[:, :, None] - colors).max(axis=3).min(axis=2) <= _NEAR).mean()


def _count_in_rows(image, found):
    """How many pixels of each row have each color of the palette: [_ROWS, colors]."""
    colors = np.array([rgb(color.color) for color in found.colors])
    pixels = np.asarray(image.resize((_ROWS, _ROWS), Image.NEAREST), int)
    nearest = np.abs(pixels[:, :, None] - colors).max(axis=3).argmin(axis=2)
    return (nearest[:, :, None] == np.arange(len(colors))).sum(axis=1)


def _flat_pixels(image):
    """The pixels that are like their four neighbors: [n, 4] uint8, of which the last is padding."""
    values = np.pad(np.asarray(image, np.int16), [(1, 1), (1, 1), (0, 0)], 'edge')
    down, across = (np.abs(np.diff(values, axis=axis)).max(axis=2) <= _FLAT for axis in (0, 1))
    is_flat = down[:-1, 1:-1] & down[1:, 1:-1] & across[1:-1, :-1] & across[1:-1, 1:]
    return np.asarray(image.convert('RGBX'))[is_flat]


def _most_frequent(pixels):
    """([(color, share of `pixels`)], share that has these colors but for the noise of JPEG).

    The first shares are of the colors with all that are near them.
    """
    unique, counts = np.unique(pixels.view(np.uint32), return_counts=True)
    order = np.argsort(-counts, kind='stable')[:4096]
    colors, counts = unique.view(np.uint8).reshape(-1, 4)[order, :3].astype(int), counts[order]
    total = counts.sum()
    found, covered = [], 0.0
    while len(colors) and len(found) < MOST:
        distance = np.abs(colors - colors[0]).max(axis=1)
        near = distance <= _NEAR
        share = counts[near].sum() / total
        if share >= _FEWEST:
            found.append((tuple(_snap(int(value)) for value in colors[0]), share))
            covered += counts[distance <= _SAME].sum() / total
        colors, counts = colors[~near], counts[~near]
    return sorted(found, key=lambda pair: -pair[1]), covered


def _snap(value):
    """Undoes that JPEG moves black and white a little."""
    return 0 if value <= 4 else 255 if value >= 251 else value


def _facade_names(colors):
    """The facade labels of `colors`, or None if there are few colors or another color."""
    names = [
        name
        for color in colors
        for name, labels in _FACADES.items()
        if any(max(abs(a - b) for a, b in zip(color, label)) <= _SAME for label in labels)
    ]
    return names if len(names) == len(set(names)) == len(colors) > 3 else None


def color_name(color: Rgb) -> str:
    """A color in words, such as 'dark blue'."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*(value / 255 for value in color))
    shade = 'light ' if lightness > 0.66 else 'dark ' if lightness < 0.35 else ''
    if saturation < 0.15 or not 0.06 <= lightness <= 0.97:
        if lightness >= 0.95:
            return 'white'
        return 'black' if lightness <= 0.08 else f'{shade}gray'
    return shade + _HUES[round(hue * 12)]


def _unique(names):
    """Makes the names unique: 'blue', 'blue (2)', ..."""
    numbers = [names[: at + 1].count(name) for at, name in enumerate(names)]
    return [f'{name} ({n})' if n > 1 else name for name, n in zip(names, numbers)]


_GIVEN = [(0, 0, 0), (255, 255, 255), (128, 128, 128), (220, 50, 47), (38, 139, 210), (80, 160, 60)]
PLAIN = _palette(UNKNOWN, (255, 255, 255), _GIVEN, [color_name(color) for color in _GIVEN])
