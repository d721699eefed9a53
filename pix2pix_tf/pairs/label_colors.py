"""The colors of the labels in label maps: listed in a file, or found in the pairs."""

import re
from typing import Dict, List, Sequence

from PIL import Image

from pix2pix_tf.pairs import halves, palette, read
from pix2pix_tf.pairs.palette import Color
from pix2pix_tf.system import files
from pix2pix_tf.system.errors import UsageError

AUTO = 'auto'
MOST_COLORS = 256

_MAX_BYTES = 2**16  # of a file of colors
_SAMPLED = 60  # targets in which colors are looked for
_SAMPLED_PIXELS = 2**18  # of each of them, for colors that are not exact
_FEWEST = 0.001  # share of the area that makes an exact color a label
_LINE = re.compile(r'(#[0-9a-fA-F]{6})(?:\s+(.*))?')


def find(labels: str, paths: Sequence[str], direction: str) -> List[Color]:
    """The colors of the labels: those in the file `labels` or, for AUTO, those of the targets.

    `paths` are pairs whose left half is the target for the direction BtoA, else the right half.

    Raises:
        UsageError: the file is not a list of colors, or the targets are not label maps.
        DataError: a pair cannot be decoded.
    """
    if labels != AUTO:
        return _listed(labels)
    step = -(-len(paths) // _SAMPLED)
    targets = [_target(path, direction) for path in paths[::step]]
    return _exact(targets) or _frequent(targets)


def _target(path, direction):
    with read.opened(path, path) as image, read.decoding(path):
        a, b = halves.cut(read.to_rgb(image))
    return a if direction == 'BtoA' else b


def _exact(targets):
    """The colors of label maps without any pixels between them, as PNG has them; else none."""
    shares: Dict[tuple, float] = {}
    for target in targets:
        if halves.kind_of(target) != 'labels':
            return []
        for color, share in (halves.colors_of(target) or {}).items():
            shares[color] = shares.get(color, 0) + share / len(targets)
    colors = [color for color, share in shares.items() if share >= _FEWEST]
    if not 1 < len(colors) <= halves.MOST_LABELS:
        return []
    return palette.named(sorted(colors, key=lambda color: (-shares[color], color)))


def _frequent(targets):
    """The most frequent colors of label maps in JPEG, which has colors between them."""
    found = palette.find([_reduced(target) for target in targets])
    if found.kind != palette.LABELS:
        problem = 'the targets are not label maps of a few colors'
    elif len(found.colors) == palette.MOST:
        problem = f'the targets have {palette.MOST} colors or more'
    else:
        return found.colors
    raise UsageError(f'`labels` is {AUTO}, but {problem}: name a file that lists their colors')


def _reduced(image):
    """`image` or, if it is large, an image of some of its pixels."""
    factor = (_SAMPLED_PIXELS / (image.width * image.height)) ** 0.5
    if factor >= 1:
        return image
    return image.resize([max(1, int(side * factor)) for side in image.size], Image.NEAREST)


def _listed(path):
    """The colors in a file of lines such as `#0000de background`."""
    colors: List[Color] = []
    for number, line in enumerate(_read(path).splitlines(), 1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.strip())
        if not found:
            raise UsageError(
                f'`labels`: line {number} of {path} is {line.strip()[:60]!r}: it must be a color '
                'and a name, such as #0000de background'
            )
        color, name = found.group(1).lower(), found.group(2)
        color = Color(color, name or palette.color_name(palette.rgb(color)))
        colors.append(color)
        for field, values in zip(('color', 'name'), zip(*colors)):
            if values.count(values[-1]) > 1:
                raise UsageError(
                    f'`labels`: line {number} of {path} has the same {field} as an earlier one, '
                    f'{values[-1]}'
                )
    if not 1 < len(colors) <= MOST_COLORS:
        raise UsageError(
            f'`labels`: {path} lists {len(colors)} colors: it must be 2 to {MOST_COLORS}'
        )
    return colors


def _read(path):
    try:
        return files.read_short(path, _MAX_BYTES).decode('utf-8-sig')
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise UsageError(
            f'`labels` is {path} ({reason}): give {AUTO}, or a file of lines such as #0000de '
            'background'
        ) from error
