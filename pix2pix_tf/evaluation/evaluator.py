"""Measures an export while it runs: the metrics of every pair, then of the whole set."""

import contextlib
import os
import typing

import numpy as np

from pix2pix_tf.evaluation import features, metrics
from pix2pix_tf.system.shard import Shard


class Measures(typing.NamedTuple):
    """What an export measures in addition to the metrics of its outputs, and on which pairs."""

    samples: int = 1  # outputs per input, which differ in their dropout noise; above 1: diversity
    network: typing.Optional[features.Network] = None  # its features give FID and KID
    shard: Shard = Shard()


class Evaluator:
    """Collects the metrics of batches and, with a network, their features.

    `names` is {path: name in the report}. Use it as a context manager: the network stays open.

    Raises:
        Pix2PixError: the network cannot be used.
    """

    def __init__(self, names: typing.Dict[str, str], measures: Measures) -> None:
        self.names, self.samples, self.shard = names, measures.samples, measures.shard
        self.rows: typing.List[typing.Dict[str, typing.Any]] = []
        self.features: typing.Dict[str, list] = {'outputs': [], 'targets': []}
        self._open = contextlib.ExitStack()
        self._extract = measures.network and self._open.enter_context(
            features.opened(measures.network)
        )

    def __enter__(self) -> 'Evaluator':
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, batch: typing.Dict[str, typing.Any]) -> None:
        """Measures a batch, as `exporting.running` yields it."""
        outputs, targets = batch['outputs_pixels'], batch['targets_pixels']
        outputs = outputs.reshape((-1, self.samples) + outputs.shape[1:])
        for path, samples, target in zip(batch['paths'], outputs, targets):
            row = dict(
                {'name': self.names[os.fsdecode(path)]}, **metrics.compare(samples[0], target)
            )
            if self.samples > 1:
                row[metrics.DIVERSITY] = metrics.diversity(samples)
            self.rows.append(row)
        if self._extract:
            self.features['outputs'].append(self._extract(outputs[:, 0]))
            self.features['targets'].append(self._extract(targets))

    def report(self, source: typing.Dict[str, typing.Any]) -> metrics.Report:
        """The Report on all batches, with `source` as a description of where they come from."""
        distances = {}
        if self._extract and self.shard.total == 1:
            sets = [np.concatenate(self.features[kind]) for kind in ('outputs', 'targets')]
            distances = metrics.distances(*sets)
        return metrics.report(source, self.rows, distances)
