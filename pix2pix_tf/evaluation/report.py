"""The metrics of a checkpoint on a set of pairs, summarized, as a table and as files."""

import csv
import io
import json
import os
from typing import Any, Dict, List, NamedTuple, Sequence, Union

import numpy as np

from pix2pix_tf.evaluation import metrics
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
    # Always the same draws, so that equal metrics give equal files. In blocks, to limit the memory.
    rng = np.random.RandomState(0)
    means = [
        values[rng.randint(0, len(values), (100, len(values)))].mean(axis=1)
        for _ in range(RESAMPLES // 100)
    ]
    low, high = np.percentile(means, [2.5, 97.5])
    return Summary(float(values.mean()), float(values.std()), float(low), float(high))


class EvaluationReport(NamedTuple):
    """The metrics of one checkpoint on one set of pairs."""

    source: Dict[str, Any]  # 'checkpoint', 'step', 'data', 'seed', 'samples'
    images: List[Dict[str, Any]]  # {'name': str, metric: float} of each pair
    summaries: Dict[str, Summary]  # of each metric
    distances: Dict[str, float]  # 'FID' and 'KID', or empty


def report_on(
    source: Dict[str, Any],
    images: List[Dict[str, Any]],
    distances: Dict[str, float],
) -> EvaluationReport:
    """The report on at least one image, with the summaries of its metrics."""
    names = [name for name in images[0] if name != 'name']
    summaries = {name: summarize([image[name] for image in images]) for name in names}
    return EvaluationReport(source, images, summaries, distances)


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
            is_ours = set(parsing.parse_json(files.read(path))) == set(EvaluationReport._fields)
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


def format_table(report: EvaluationReport) -> str:
    """The summaries as lines for a terminal."""
    width = max(10, *(len(name) + 1 for name in report.summaries))
    lines = [f'{"":{width}}{"mean":>10}{"std":>10}   95% interval of the mean']
    for name, s in report.summaries.items():
        lines.append(f'{name:{width}}{s.mean:10.4f}{s.std:10.4f}   {s.low:.4f} to {s.high:.4f}')
    lines += [f'{name:{width}}{value:10.4f}' for name, value in report.distances.items()]
    return '\n'.join(lines)
