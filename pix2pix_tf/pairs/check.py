"""Checks a dataset for bad files, copies in two parts, and halves that do not belong together."""

import collections
import functools
import hashlib
import os
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from pix2pix_tf.pairs import duplicates, find, halves, read, record, sides
from pix2pix_tf.pairs.inputs import load_opencv
from pix2pix_tf.system import files
from pix2pix_tf.system.console import count
from pix2pix_tf.system.errors import DataError
from pix2pix_tf.system.processes import each

PARTS = ('train', 'val', 'test')

DOUBT_BELOW = 0.25  # of the median correlation of edges, which differs from dataset to dataset

_THUMBNAIL = 64  # height in pixels of the images on the page
_SIDE = 128  # pixels of the images in which edges are compared
_FEWEST = 8  # pairs: the median of fewer says little
# Facades, the smallest dataset of the paper, has 400; the docs say what fewer are good for
_ENOUGH = 400
_UNRELATED = 0.05  # median correlation of edges, which unrelated halves seldom reach


class Facts(NamedTuple):
    """The facts about one file."""

    path: str
    part: str
    fault: Optional[str]  # why it cannot be used for training; the other fields are then empty
    size: Tuple[int, int] = (0, 0)
    kind: str = ''
    digest: str = ''  # of the bytes
    hashes: Tuple[bytes, bytes] = (b'', b'')  # perceptual, of A and B
    detail: Tuple[float, float] = (0.0, 0.0)  # entropy of A and B, in bits
    correlation: float = 0.0  # of the edges of A with those of B
    brightness: Tuple[float, float] = (0.0, 0.0)  # of A and B, from 0 to 1
    colors: Tuple[Optional[Dict[str, float]], ...] = (None, None)
    thumbnail: bytes = b''  # JPEG


class Findings(NamedTuple):
    """The result of a check."""

    folder: str
    facts: List[Facts]
    faults: List[str]  # lines: bad files, copies in two parts
    warnings: List[str]  # lines: doubts
    copies: List[Tuple[str, str]]  # files of two parts
    doubtful: List[str]  # files whose halves may not belong together
    flip: str  # a line: whether mirrored pairs would look like these
    panels: int = 2  # of a file

    @property
    def pairs(self) -> int:
        """The number of good files."""
        return sum(not one.fault for one in self.facts)


def check_dataset(
    folder: str,
    doubt_below: float = DOUBT_BELOW,
    processes: Optional[int] = None,
    panels: Sequence[str] = ('a', 'b'),
) -> Findings:
    """Reads every pair in the parts of `folder`, or in `folder` itself if it has no parts.

    Pairs whose halves have fewer edges in common than `doubt_below` times the median of all pairs
    are doubtful. `panels` has a or b for each panel of a file; of several, the first is compared.

    Raises:
        DataError: there is no such folder, or no JPEG or PNG image in it or in one of its parts.
    """
    if not os.path.isdir(folder):
        raise DataError(f'no data folder {folder}: give one of pairs, or one with train/ and val/')
    parts = [part for part in PARTS if os.path.isdir(os.path.join(folder, part))]
    named, warnings = [], []
    for part in parts or ['']:
        paths, notes = find.find_images(os.path.join(folder, part))
        named += [(part, path) for path in paths]
        warnings += notes
    facts = []
    with tqdm(desc='check', total=len(named), unit='pairs', disable=None) as bar:
        for _, one in each(functools.partial(_examine, panels), named, processes):
            facts.append(one)
            bar.update()
    faults = [f'{one.path} {one.fault}' for one in facts if one.fault]
    if parts and 'train' not in parts:
        faults.append(f'{folder} has no train/, which trainings read')
    if parts and 'val' not in parts:
        warnings.append(f'{folder} has no val/, which exports read')
    good = [one for one in facts if not one.fault]
    for part in parts or ['']:
        sizes = [one.size for one in good if one.part == part]
        warnings += find.doubts(os.path.join(folder, part), sizes, len(panels))
    warnings += _flat(good)
    copies = _copies(good)
    faults += [f'{one} is a copy of {other}: remove one of them' for one, other in copies]
    warnings += _too_few(sum(one.part in ('train', '') for one in good))
    # An input that was computed from its photo belongs to it
    computed = record.recipe_of(folder).get('command') == 'make'
    doubtful, lines = _doubtful(good, 0 if computed else doubt_below)
    warnings += lines
    trained = [one.thumbnail for one in good if one.part in ('train', '')]
    flip = sides.describe(folder, trained, len(panels))
    return Findings(folder, facts, faults, warnings, copies, doubtful, flip, len(panels))


def _examine(panels, item):
    """The Facts of one file."""
    part, path = item
    header = find.read_header(path, len(panels))
    if header.fault:
        return Facts(path, part, header.fault)
    try:
        contents = files.read(path)
        with read.opened(contents, path) as image:
            kind = image.format
        pair = read.read_image(contents, path)
    except DataError as error:
        return Facts(path, part, str(error)[len(path) + 1 :])
    a, b = (_panel(pair, panels.index(side), len(panels)) for side in 'ab')
    gray = [half.convert('L') for half in (a, b)]
    small = pair.resize((len(panels) * _THUMBNAIL, _THUMBNAIL), Image.BOX)
    return Facts(
        path,
        part,
        None,
        pair.size,
        kind,
        hashlib.sha256(contents).hexdigest(),
        tuple(map(duplicates.perceptual_hash, gray)),
        tuple(half.entropy() for half in gray),
        _correlation(a, b),
        tuple(float(np.mean(half)) / 255 for half in gray),
        (_colors(a), _colors(b)),
        halves.encoded(small, 'jpg', 85),
    )


def _panel(image, number, panels):
    width = image.width // panels
    return image.crop((number * width, 0, (number + 1) * width, image.height))


def _colors(half):
    """{#rrggbb: share of the area} of a label map; None for other images."""
    colors = halves.colors_of(half)
    if colors is None:
        return None
    return {'#{:02x}{:02x}{:02x}'.format(*color): share for color, share in colors.items()}


def _correlation(a, b):
    """The correlation of the edges of two images, from -1 to 1; 0 if one has no edges."""
    cv2 = load_opencv()
    edges = []
    for half in (a, b):
        pixels = np.asarray(half.resize((_SIDE, _SIDE), Image.BOX), np.float32)
        across, down = (cv2.Sobel(pixels, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
        # The strongest of the channels: blue labels would hardly show in gray
        strength = np.sqrt(cv2.magnitude(across, down).max(axis=2))
        # Less the average of the surroundings: textures have edges everywhere
        edges.append((strength - cv2.GaussianBlur(strength, (0, 0), _SIDE / 16)).ravel())
    if not all(map(np.ptp, edges)):
        return 0.0
    return float(np.corrcoef(edges)[0, 1])


def _doubtful(facts, doubt_below):
    """([path] of the pairs whose halves may not belong together, a line for each of them)."""
    if len(facts) < _FEWEST or not doubt_below:
        return [], []
    middle = float(np.median([one.correlation for one in facts]))
    if middle < _UNRELATED:
        return [], ['the halves of most pairs have few edges in common: do they show one scene?']
    doubtful = [one.path for one in facts if one.correlation < doubt_below * middle]
    return doubtful, [
        f'{path} has halves with fewer edges in common than the others: do they belong together?'
        for path in doubtful
    ]


def _too_few(number):
    if number >= _ENOUGH:
        return []
    return [
        f'{count(number, "pair")} to train on: the smallest dataset of the paper, facades, has '
        f'{_ENOUGH}. A few hundred of one kind of object show an effect; fewer are learned by heart'
    ]


def _flat(facts):
    """A line for each half that has the same single color in all pairs."""
    lines = []
    for number, half in enumerate(('A, the left half,', 'B, the right half,')):
        colors = {tuple(one.colors[number] or ()) for one in facts}
        [color] = colors if len(colors) == 1 else [()]
        if len(color) == 1:
            lines.append(
                f'{half} of every pair is one flat color, {color[0]}: class ids in 16 bits become '
                'black, see `colorize` of pix2pix-pairs combine'
            )
    return lines


def _copies(facts):
    """[(path in a later part, path)] of equal files and of nearly equal images."""
    found = {}
    by_part = collections.defaultdict(list)
    for one in facts:
        by_part[one.part].append(one)
    # The photo, not the labels: empty label maps are all alike
    side = int(sum(one.detail[1] - one.detail[0] for one in facts) > 0)
    parts = [part for part in PARTS if part in by_part]
    for number, part in enumerate(parts):
        for other in parts[number + 1 :]:
            for one, two in _same(by_part[part], by_part[other], side):
                found[two.path, one.path] = None
    return list(found)


def _same(facts, others, side):
    by_digest = {one.digest: one for one in facts}
    for other in others:
        if other.digest in by_digest:
            yield by_digest[other.digest], other
    hashes = ([one.hashes[side] for one in group] for group in (facts, others))
    for one, two in duplicates.near_pairs(*hashes, distance=duplicates.COPY):
        yield facts[one], others[two]
