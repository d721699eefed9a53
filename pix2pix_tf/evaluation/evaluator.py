"""Measures the outputs of a generator batch by batch: the metrics of each pair, then of all."""

import contextlib
import os
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from pix2pix_tf.evaluation import features, image_metrics, metrics
from pix2pix_tf.evaluation.image_metrics import OptionalMetrics
from pix2pix_tf.evaluation.label_accuracy import PER_PIXEL, ConfusionCounter
from pix2pix_tf.evaluation.report import EvaluationReport, report_on
from pix2pix_tf.pairs import panels
from pix2pix_tf.pairs.palette import Color
from pix2pix_tf.system.shard import Shard


class Measures(NamedTuple):
    """What is measured in addition to the metrics of the outputs, and on which pairs."""

    samples: int = 1  # outputs per input, which differ in their dropout noise; above 1: diversity
    network: Optional[features.FeatureNetwork] = None  # its features give FID and KID
    shard: Shard = Shard()
    optional: OptionalMetrics = OptionalMetrics()
    labels: Optional[str] = None  # 'auto' or a file of colors: label accuracy (`label_colors.find`)


class Evaluator:
    """Collects the metrics of batches and, with a feature network, the features of their images.

    `names` is {path: name in the report}, `channels` is how many each panel has. Use it as a
    context manager: it keeps networks open.

    With `colors`, those of the labels, it also counts the labels of the images.

    Raises:
        Pix2PixError: a network is unusable.
    """

    def __init__(
        self,
        names: Dict[str, str],
        measures: Measures,
        colors: Sequence[Color] = (),
        channels: int = 3,
    ) -> None:
        self.channels = channels
        self.names, self.samples, self.shard = names, measures.samples, measures.shard
        self.rows: List[Dict[str, Any]] = []
        self.features: Dict[str, list] = {'outputs': [], 'targets': []}
        self._counter = ConfusionCounter(colors) if colors else None
        self._open = contextlib.ExitStack()
        self._compare = self._open.enter_context(image_metrics.opened(measures.optional, channels))
        self._extract = measures.network and self._open.enter_context(
            features.opened(measures.network)
        )

    def __enter__(self) -> 'Evaluator':
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, batch: Dict[str, Any]) -> None:
        """Measures a batch of n pairs.

        It has 'paths', [n] bytes, 'targets_pixels', [n, height, width, 3] uint8, and
        'outputs_pixels', [n * samples, height, width, 3] uint8, the samples of a pair side by side;
        or uint16, and other channels.
        """
        outputs, targets = batch['outputs_pixels'], batch['targets_pixels']
        outputs = outputs.reshape((-1, self.samples) + outputs.shape[1:])
        for path, samples, target in zip(batch['paths'], outputs, targets):
            row = dict({'name': self.names[os.fsdecode(path)]}, **self._compare(samples[0], target))
            row.update(metrics.compare_panels(self._compare, samples[0], target, self.channels))
            if self._counter:
                row[PER_PIXEL] = self._counter.add(samples[0], target)
            if self.samples > 1:
                row[metrics.DIVERSITY] = metrics.diversity(samples)
            self.rows.append(row)
        if self._extract:
            for kind, pixels in (('outputs', outputs[:, 0]), ('targets', targets)):
                self.features[kind].append(self._extract(panels.as_rgb(pixels)))

    def report(self, source: Dict[str, Any]) -> EvaluationReport:
        """The report on all batches; `source` says which checkpoint and pairs they are from.

        It has 'checkpoint', 'step', 'data', 'seed' and 'samples', and without noise 'dropout', 0.
        FID and KID need all features, so the report of a single shard has none.
        """
        distances = {}
        if self._extract and self.shard.total == 1:
            sets = [np.concatenate(self.features[kind]) for kind in ('outputs', 'targets')]
            distances = metrics.distances(*sets)
        confusion = self._counter.confusion() if self._counter else None
        return report_on(source, self.rows, distances, confusion)
