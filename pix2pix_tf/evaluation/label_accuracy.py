"""Label accuracy: how well outputs that are label maps match their targets, pixel by pixel.

Every pixel of both has the label of the nearest color: by the Euclidean distance of 8-bit RGB
values, and of two colors that are equally near the first in the list.
"""

from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Sequence

import numpy as np

from pix2pix_tf.pairs import palette
from pix2pix_tf.pairs.palette import Color
from pix2pix_tf.system.errors import UsageError

PER_PIXEL = 'per-pixel'  # also of each image
PER_CLASS, CLASS_IOU = 'per-class', 'class IoU'  # of the whole set

_CHUNK = 2**16  # pixels at a time: the labels of a large image would take gigabytes


class Confusion(NamedTuple):
    """The labels of n outputs and their targets, for k colors; in pixels."""

    colors: List[Color]
    matrix: np.ndarray  # [k, k] int64: a row for each label of the targets, summed over the images
    counts: np.ndarray  # [n, 3, k] int64, of each image: correct, in the target, in the output


class Interval(NamedTuple):
    """A figure of the whole set, and the bounds of its 95% interval."""

    value: float
    low: float
    high: float


class LabelAccuracy(NamedTuple):
    """The label accuracy of a set of outputs."""

    confusion: Confusion
    figures: Dict[str, Interval]  # PER_CLASS and CLASS_IOU
    classes: List[Dict[str, Any]]  # 'name', 'color', 'share', 'accuracy', 'IoU' of each label


def nearest(pixels: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """The index of the nearest of `colors` for each of `pixels`: [n, 3], [k, 3] => [n] int64."""
    channels = pixels.T.astype(np.float32)
    least = np.full(len(pixels), np.inf, np.float32)
    index = np.zeros(len(pixels), np.int64)
    for number, color in enumerate(colors.astype(np.float32)):
        # |p - c|^2 but for |p|^2, which is the same for all; as float32, these integers are exact
        distance = color @ color - 2 * (color @ channels)
        index[distance < least] = number
        np.minimum(least, distance, out=least)
    return index


class ConfusionCounter:
    """Counts the labels of outputs and targets, one pair after the other."""

    def __init__(self, colors: Sequence[Color]) -> None:
        self.colors = list(colors)
        self._rgb = np.array([palette.rgb(color.color) for color in colors])
        self._matrix = np.zeros([len(colors)] * 2, np.int64)
        self._counts: List[np.ndarray] = []

    def add(self, output: np.ndarray, target: np.ndarray) -> float:
        """The share of the pixels of a pair, [height, width, 3] uint8, with equal labels.

        Raises:
            UsageError: the images are not of RGB with 8 bits.
        """
        if target.shape[2] != 3 or target.dtype != np.uint8:
            raise UsageError('`labels` needs outputs that are one RGB image of 8 bits')
        size = len(self.colors)
        matrix = np.zeros_like(self._matrix)
        output, target = output.reshape(-1, 3), target.reshape(-1, 3)
        for at in range(0, len(target), _CHUNK):
            there, here = (nearest(p[at : at + _CHUNK], self._rgb) for p in (target, output))
            cells = np.bincount(there * size + here, minlength=size * size)
            matrix += cells.reshape(size, size)
        self._matrix += matrix
        self._counts.append(np.stack([matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)]))
        return float(matrix.trace() / matrix.sum())

    def confusion(self) -> Confusion:
        """That of all pairs so far, at least one."""
        return Confusion(self.colors, self._matrix, np.stack(self._counts))


def accuracy(confusion: Confusion, resamples: Iterator[np.ndarray]) -> LabelAccuracy:
    """The LabelAccuracy of a Confusion; `resamples` are draws of its images, [m, n] indices."""
    whole = confusion.counts.sum(axis=0)
    statistics: Dict[str, Callable] = {PER_CLASS: _per_class, CLASS_IOU: _class_iou}
    drawn: Dict[str, list] = {name: [] for name in statistics}
    flat = confusion.counts.reshape(len(confusion.counts), -1).astype(np.float64)
    for draws in resamples:
        times = np.stack([np.bincount(draw, minlength=len(flat)) for draw in draws])
        sums = (times @ flat).reshape(-1, *whole.shape)
        for name, statistic in statistics.items():
            drawn[name].append(statistic(sums))
    figures = {}
    for name, statistic in statistics.items():
        low, high = np.percentile(np.concatenate(drawn[name]), [2.5, 97.5])
        figures[name] = Interval(float(statistic(whole)), float(low), float(high))
    return LabelAccuracy(confusion, figures, _classes(confusion.colors, whole))


def as_json(labels: LabelAccuracy) -> Dict[str, Any]:
    """The figures, the labels and the confusion matrix, as metrics.json has them."""
    figures = {name: figure._asdict() for name, figure in labels.figures.items()}
    matrix = labels.confusion.matrix.tolist()
    return dict(figures, classes=labels.classes, confusion=matrix)


def table(labels: LabelAccuracy) -> List[str]:
    """The labels that are in the targets, as lines for a terminal."""
    rows = [row for row in labels.classes if row['share']]
    width = max(10, *(len(row['name']) + 2 for row in rows))
    lines = [f'{"label":{width}}{"share":>10}{"accuracy":>10}{"IoU":>10}']
    for row in rows:
        values = ''.join(f'{row[key]:10.4f}' for key in ('share', 'accuracy', 'IoU'))
        lines.append(f'{row["name"]:{width}}{values}')
    return lines


def _per_class(counts):
    """The mean accuracy of the labels in the targets: [..., 3, k] => [...]."""
    correct, in_targets = counts[..., 0, :], counts[..., 1, :]
    return _mean(correct, in_targets, in_targets > 0)


def _class_iou(counts):
    """The mean intersection over union of the labels in the targets: [..., 3, k] => [...]."""
    correct, in_targets, in_outputs = (counts[..., at, :] for at in range(3))
    return _mean(correct, in_targets + in_outputs - correct, in_targets > 0)


def _mean(counts, totals, present):
    return (counts / np.maximum(totals, 1) * present).sum(axis=-1) / present.sum(axis=-1)


def _classes(colors, counts):
    """A row for each label; a label that is missing from the targets has no accuracy and no IoU."""
    rows = []
    for color, correct, in_targets, in_outputs in zip(colors, *counts.tolist()):
        is_present = in_targets > 0
        rows.append(
            {
                'name': color.name,
                'color': color.color,
                'share': in_targets / int(counts[1].sum()),
                'accuracy': correct / in_targets if is_present else None,
                'IoU': correct / (in_targets + in_outputs - correct) if is_present else None,
            }
        )
    return rows
