"""The files that the shards of an export leave, and joining them.

Each of several processes computes one shard (see `system.shard`). The joined result is that of one
process, byte for byte.
"""

import contextlib
import glob
import hashlib
import io
import json
import os
import re
import zipfile
from typing import Any, Dict, Iterable, List, Optional, Tuple

import numpy as np

from pix2pix_tf.evaluation import metrics, pages
from pix2pix_tf.evaluation.image_metrics import OptionalMetrics
from pix2pix_tf.evaluation.label_accuracy import Confusion
from pix2pix_tf.evaluation.report import EvaluationReport, check_replaceable, report_on, save_report
from pix2pix_tf.pairs.palette import Color
from pix2pix_tf.system import files, parsing
from pix2pix_tf.system.errors import Pix2PixError
from pix2pix_tf.system.shard import Shard

KINDS = ('outputs', 'targets')  # of features
# The options that determine an output, besides the seed
_DETERMINING = ('direction', 'crop_size', 'ngf', 'leak', 'dropout', 'variance_epsilon')
_DETERMINING += ('xla', 'mixed_precision', 'input_panels', 'output_panels', 'channels', 'bits')
_KEYS = {'source', 'images', 'pairs', 'options', 'page_of', 'features', 'labels', 'confusion'}

Features = Dict[str, List[np.ndarray]]  # {'outputs' or 'targets': [n, features]}


def in_common(
    names: Iterable[str],
    options: Dict[str, Any],
    network: Optional[Any],
    optional: OptionalMetrics = OptionalMetrics(),
) -> Dict[str, Any]:
    """The values that all shards of an export must agree on.

    They are a digest of the `names` of all pairs, and what determines the outputs and their
    features: some of `options`, and the fields of the feature `network`; and which `optional`
    metrics are measured.
    """
    given = {name: options[name] for name in _DETERMINING}
    for name, value in (network._asdict() if network else {}).items():
        given['features ' + name] = value
    for name, value in optional._asdict().items():
        if value:  # perhaps the path of a file, which may differ between machines
            given[name] = True
    digest = hashlib.sha256(json.dumps(sorted(names)).encode()).hexdigest()
    return {'pairs': digest, 'options': given}


def save(
    shard: Shard,
    report: EvaluationReport,
    features: Features,
    page_of: Optional[pages.Sides],
    directory: str,
    equal: Dict[str, Any],
) -> str:
    """Writes the files of a shard, for `join`, to `directory`; returns the path of the JSON file.

    `page_of` are the sides of the images, if `join` is to write their page. `equal` is the result
    of `in_common`.

    Raises:
        Pix2PixError: a file cannot be written.
    """
    path = os.path.join(directory, f'shard-{shard.number}-of-{shard.total}')
    document = dict(equal, source=report.source, images=report.images, page_of=page_of)
    document['features'] = bool(features['outputs'])
    document['labels'] = document['confusion'] = None
    if report.labels:
        colors, matrix, counts = report.labels.confusion
        document['labels'] = [list(color) for color in colors]
        document['confusion'] = {'matrix': matrix.tolist(), 'counts': counts.tolist()}
    contents = {path + '.json': json.dumps(document).encode()}
    if features['outputs']:
        arrays = io.BytesIO()
        np.savez(arrays, **{kind: np.concatenate(parts) for kind, parts in features.items()})
        contents[path + '.npz'] = arrays.getvalue()
    files.write_together(contents)
    return path + '.json'


def join(directory: str) -> Tuple[EvaluationReport, Optional[str]]:
    """Joins the shards in `directory`: writes metrics.json, metrics.csv, and the page of an export.

    The files of the shards are removed. Returns the report and the path of the page, if any.

    Raises:
        UsageError: a file of another program would be replaced.
        Pix2PixError: there are no shards; one is missing; or they differ in more than their images.
    """
    found = glob.glob(os.path.join(glob.escape(directory), 'shard-*-of-*.json'))
    names = [re.fullmatch('shard-[0-9]+-of-([0-9]+).json', os.path.basename(p)) for p in found]
    counts = {int(name.group(1)) for name in names if name}
    if not counts:
        raise Pix2PixError(f'no parts in {directory}: `shard` of export and evaluate makes them')
    if len(counts) > 1:
        listed = ' and '.join(map(str, sorted(counts)))
        raise Pix2PixError(f'{directory} has parts of {listed}: remove the old ones')
    [count] = counts
    parts = [_read(directory, number, count) for number in range(1, count + 1)]
    for number, part in enumerate(parts, 1):
        for key in ('source', 'pairs', 'options', 'page_of', 'features', 'labels'):
            if part[key] != parts[0][key]:
                raise Pix2PixError(
                    f'shard-{number}-of-{count}.json in {directory} differs from the first in '
                    f'{_difference(part[key], parts[0][key]) or key}: make it again'
                )
    total = sum(len(part['images']) for part in parts)
    rows = [parts[n % count]['images'][n // count] for n in range(total)]
    distances = {}
    if parts[0]['features']:
        distances = metrics.distances(*(_features(directory, count, kind, total) for kind in KINDS))
    confusion = _confusion(parts, total) if parts[0]['labels'] else None
    report = report_on(parts[0]['source'], rows, distances, confusion)
    check_replaceable(directory)
    page = None
    if parts[0]['page_of']:
        pages.check_ours(directory, 'out')
        page = pages.write_gallery(report, directory, parts[0]['page_of'])
    save_report(report, directory)
    for number in range(1, count + 1):
        for end in ('.json', '.npz'):
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(directory, f'shard-{number}-of-{count}{end}'))
    return report, page


def _confusion(parts, total):
    """The Confusion of all images, in their order."""
    colors = [Color(*color) for color in parts[0]['labels']]
    counts = np.empty((total, 3, len(colors)), np.int64)
    for number, part in enumerate(parts):
        counts[number :: len(parts)] = part['confusion']['counts']
    matrix = np.sum([part['confusion']['matrix'] for part in parts], axis=0, dtype=np.int64)
    return Confusion(colors, matrix, counts)


def _read(directory, number, count, end='.json'):
    """A file of a shard: a JSON value, or the arrays of an .npz file."""
    path = os.path.join(directory, f'shard-{number}-of-{count}{end}')
    try:
        with open(path, 'rb') as file:
            if end == '.json':
                part = parsing.parse_json(file.read())
                if not isinstance(part, dict) or set(part) != _KEYS:
                    raise ValueError('it is not a part of an export by this version')
                return part
            with np.load(file) as arrays:
                return dict(arrays)
    except FileNotFoundError:
        raise Pix2PixError(f'{path} is missing: make it with `shard` {number}/{count}') from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise Pix2PixError(f'cannot use {path}: {error}') from error


def _difference(one, other):
    """The first key with different values in two of the dictionaries in shards, and the values."""
    if not isinstance(one, dict):
        return ''
    keys = sorted({*one, *other})
    different = [key for key in keys if one.get(key) != other.get(key)]
    return f'{different[0]} ({one.get(different[0])} and {other.get(different[0])})'


def _features(directory, count, kind, total):
    """The features of all images, [total, features], in the order of the images."""
    parts = []
    for number in range(1, count + 1):
        parts.append(_read(directory, number, count, '.npz')[kind])
    whole = np.empty((total, *parts[0].shape[1:]), parts[0].dtype)
    for number, part in enumerate(parts):
        whole[number::count] = part
    return whole
