"""Whether mirrored pairs would look like the others, for the option `flip`."""

import io
import os
from typing import Sequence

import numpy as np
from PIL import Image

# {dataset: what its mirrored pairs would show}
_KNOWN = {
    'cityscapes': 'traffic on the left and signs in mirror writing (the paper mirrors them anyway)',
    'edges2shoes': 'shoes that point the other way; those of the dataset all point the same way',
}
_PARTS = ('train', 'val', 'test')

# The `asymmetry` from which pairs have sides. The 400 facades have 0.0005, 200 drawn ones 0.006. It
# is 0.07 for outlines of which 3 in 4 point the same way, and 0.10 for facades that fade from left
# to right by a tenth of the range of colors. Few pairs may have more by chance alone: among 300
# samples of facades, the most was 0.023 for 100 pairs, and 0.059 for 50.
LIMIT = 0.05
FEWEST = 100

_SIDE = 16  # pixels of a half: what matters is the layout, not the detail
_MOST = 2000  # pairs that are looked at


def describe(folder: str, pairs: Sequence[bytes], panels: int = 2) -> str:
    """A line about `flip` for the dataset in `folder`; `pairs` are small images of its pairs."""
    above, name = os.path.split(os.path.abspath(folder))
    known = os.path.basename(above) if name in _PARTS else name
    if known in _KNOWN:
        return f'train without `flip`: mirrored pairs would show {_KNOWN[known]}'
    look = 'text, traffic or anything else that mirrored pairs would show the wrong way round'
    if len(pairs) < FEWEST:
        return (
            f'before you train with `flip`, look for {look}: in {len(pairs)} pairs, fewer than '
            f'{FEWEST}, sides cannot be measured'
        )
    share = asymmetry(pairs, panels)
    if share >= LIMIT:
        return (
            f'train without `flip`: left and right differ in the same way in most pairs '
            f'({share:.0%} of all differences; without sides, below {LIMIT:.0%})'
        )
    return (
        f'`flip` fits, as left and right differ by chance ({share:.1%} of all differences are '
        f'common to the pairs), unless there is {look}'
    )


def asymmetry(pairs: Sequence[bytes], panels: int = 2) -> float:
    """The share of the differences between pairs and their mirror images that is the same in all.

    0 if left and right differ by chance, 1 if they differ in the same way in every pair. It is that
    of the panels with most. `pairs` are at least two image files.

    For the difference d of an image and its mirror image, it is |mean d|^2 / mean |d|^2: the mean
    image compared with its own mirror image. Chance alone makes that 1 / n for n pairs, which is
    subtracted; less than chance is 0.
    """
    images = np.stack([_small(one, panels) for one in pairs[:: -(-len(pairs) // _MOST)]])
    shares = []
    for panel in np.split(images, panels, axis=2):
        differences = panel - panel[:, :, ::-1]
        total = np.square(differences).sum() / len(images)
        common = np.square(differences.mean(axis=0)).sum()
        expected = 1 / len(images)
        shares.append((common / total - expected) / (1 - expected) if total else 0.0)
    return float(max(0.0, *shares))


def _small(pair, panels):
    """[_SIDE, panels * _SIDE, 3] float64."""
    with Image.open(io.BytesIO(pair)) as image:
        return np.float64(image.convert('RGB').resize((panels * _SIDE, _SIDE), Image.BOX))
