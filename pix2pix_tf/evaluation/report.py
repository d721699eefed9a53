"""The metrics of a checkpoint on a set of pairs, summarized, as a table and as files."""

import csv
import io
import json
import os
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Union

import numpy as np

from pix2pix_tf.evaluation import label_accuracy, metrics
from pix2pix_tf.evaluation.label_accuracy import Confusion, LabelAccuracy
from pix2pix_tf.system import files, parsing

JSON_FILE, CSV_FILE = 'metrics.json', 'metrics.csv'
RESAMPLES = 10000  # of the bootstrap


class Summary(NamedTuple):
    """One metric over all images."""

    mean: float
    std: float  # of the images, not of the mean
    low: float  # bounds of the 95% interval of the mean
    high: float


def summarize(values: Union[np.ndarray, Sequence[float]]) -> Summary:
    """The Summary of at least one value; the interval is a percentile bootstrap (Efron, 1979)."""
    values = np.asarray(values, np.float64)
    means = [values[draws].mean(axis=1) for draws in _resamples(len(values))]
    low, high = np.percentile(means, [2.5, 97.5])
    return Summary(float(values.mean()), float(values.std()), float(low), float(high))


def _resamples(number: int) -> Iterator[np.ndarray]:
    """RESAMPLES draws from `number` images, as blocks of indices, [100, number]."""
    # Always the same draws, so that equal metrics give equal files. In blocks, to limit the memory.
    rng = np.random.RandomState(0)
    for _ in range(RESAMPLES // 100):
        yield rng.randint(0, number, (100, number))


class EvaluationReport(NamedTuple):
    """The metrics of one checkpoint on one set of pairs."""

    source: Dict[str, Any]  # 'checkpoint', 'step', 'data', 'seed', 'samples'
    images: List[Dict[str, Any]]  # {'name': str, metric: float} of each pair
    summaries: Dict[str, Summary]  # of each metric
    distances: Dict[str, float]  # 'FID' and 'KID', or empty
    labels: Optional[LabelAccuracy] = None  # of label maps, if it is asked for


def report_on(
    source: Dict[str, Any],
    images: List[Dict[str, Any]],
    distances: Dict[str, float],
    confusion: Optional[Confusion] = None,
) -> EvaluationReport:
    """The report on at least one image, with the summaries of its metrics."""
    names = [name for name in images[0] if name != 'name']
    summaries = {name: summarize([image[name] for image in images]) for name in names}
    labels = confusion and label_accuracy.accuracy(confusion, _resamples(len(images)))
    return EvaluationReport(source, images, summaries, distances, labels)


def check_replaceable(directory: str) -> None:
    """Checks that metrics.json and metrics.csv in `directory`, if they exist, are of a report.

    Raises:
        UsageError: one was written by another program.
    """
    path = os.path.join(directory, JSON_FILE)
    files.check_ours(path, '"summaries"', 'out')
    files.check_ours(os.path.join(directory, CSV_FILE), 'name,' + metrics.NAMES[0], 'out')
    if os.path.exists(path):
        try:
            keys = set(parsing.parse_json(files.read(path)))
            is_ours = keys | {'labels'} == set(EvaluationReport._fields)
        except (ValueError, TypeError):
            is_ours = False
        if not is_ours:
            raise files.not_ours(path, 'out')


def save_report(report: EvaluationReport, directory: str) -> None:
    """Writes `report` to metrics.json and metrics.csv in `directory`.

    Raises:
        Pix2PixError: a file cannot be written; both are then as they were before.
    """
    document = report._asdict()
    document['summaries'] = {name: s._asdict() for name, s in report.summaries.items()}
    if report.labels:
        document['labels'] = label_accuracy.as_json(report.labels)
    else:
        del document['labels']
    text = json.dumps(document, indent=2) + '\n'
    stream = io.StringIO()
    writer = csv.DictWriter(stream, ['name', *report.summaries], lineterminator='\n')
    writer.writeheader()
    writer.writerows(report.images)
    table = stream.getvalue().encode('utf-8', 'surrogateescape')  # file names may be any bytes
    files.write_together(
        {
            os.path.join(directory, JSON_FILE): text.encode(),
            os.path.join(directory, CSV_FILE): table,
        }
    )


def explain(report: EvaluationReport) -> List[str]:
    """Lines below the table: which of its figures are worth comparing, and how to get LPIPS."""
    telling = [
        name
        for name in report.summaries
        if name not in metrics.PREFER_BLUR and name != metrics.DIVERSITY
    ]
    telling += report.labels.figures if report.labels else []
    blurring = [name for name in metrics.PREFER_BLUR if name in report.summaries]
    lines = [
        f'worth comparing, on the same pairs: {_listed(telling)}; {_listed(blurring)} prefer a '
        'blurred image. What others reach: docs/results.md, "Published figures"'
    ]
    if 'LPIPS' not in report.summaries:
        lines.append(
            'LPIPS follows the eye more than these: make lpips fetches its weights, and LPIPS=1 '
            'measures it (without make: pix2pix-data --lpips=FILE, then --lpips=FILE)'
        )
    return lines


def _listed(names):
    return ' and '.join(filter(None, (', '.join(names[:-1]), names[-1])))


def format_table(report: EvaluationReport) -> str:
    """The summaries as lines for a terminal."""
    width = max(10, *(len(name) + 1 for name in report.summaries))
    lines = [f'{"":{width}}{"mean":>10}{"std":>10}   95% interval of the mean']
    for name, s in report.summaries.items():
        lines.append(f'{name:{width}}{s.mean:10.4f}{s.std:10.4f}   {s.low:.4f} to {s.high:.4f}')
    for name, f in (report.labels.figures if report.labels else {}).items():
        lines.append(f'{name:{width}}{f.value:10.4f}{"":10}   {f.low:.4f} to {f.high:.4f}')
    lines += [f'{name:{width}}{value:10.4f}' for name, value in report.distances.items()]
    if report.labels:
        lines += ['', *label_accuracy.table(report.labels)]
    return '\n'.join(lines)
