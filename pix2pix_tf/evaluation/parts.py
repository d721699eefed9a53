"""An export in several processes: each takes a part, and `join` puts the parts together.

The result is that of one process, to the byte.
"""

import contextlib
import glob
import hashlib
import io
import json
import os
import re
import typing
import zipfile

import numpy as np

from pix2pix_tf.config import Size
from pix2pix_tf.evaluation import metrics, pages
from pix2pix_tf.system import files
from pix2pix_tf.system.errors import Pix2PixError
from pix2pix_tf.system.shard import Shard

KINDS = ('outputs', 'targets')  # of features
# The options that decide about an output, besides the seed
_DECIDING = ('direction', 'crop_size', 'ngf', 'leak', 'dropout', 'variance_epsilon')
_DECIDING += ('xla', 'mixed_precision')
_KEYS = {'source', 'images', 'pairs', 'options', 'page_of', 'features'}

Features = typing.Dict[str, typing.List[np.ndarray]]  # {'outputs' or 'targets': [n, features]}


def in_common(
    names: typing.Iterable[str],
    options: typing.Dict[str, typing.Any],
    network: typing.Optional[typing.Any],
) -> typing.Dict[str, typing.Any]:
    """What all parts of an export must have in common: a digest of the `names` of all pairs, and
    what decides about their outputs and the features of these."""
    given = {name: options[name] for name in _DECIDING}
    for name, value in (network._asdict() if network else {}).items():
        given['features ' + name] = value
    digest = hashlib.sha256(json.dumps(sorted(names)).encode()).hexdigest()
    return {'pairs': digest, 'options': given}


def save(
    shard: Shard,
    report: metrics.Report,
    features: Features,
    page_of: typing.Optional[Size],
    directory: str,
    equal: typing.Dict[str, typing.Any],
) -> str:
    """Writes what `join` needs to `directory`; returns the path of the JSON file.

    `page_of` is the size of the images, if `join` is to write their page; `equal` is what
    `in_common` returns.

    Raises:
        Pix2PixError: a file cannot be written.
    """
    path = os.path.join(directory, f'shard-{shard.number}-of-{shard.total}')
    document = dict(equal, source=report.source, images=report.images, page_of=page_of)
    document['features'] = bool(features['outputs'])
    contents = {path + '.json': json.dumps(document).encode()}
    if features['outputs']:
        arrays = io.BytesIO()
        np.savez(arrays, **{kind: np.concatenate(parts) for kind, parts in features.items()})
        contents[path + '.npz'] = arrays.getvalue()
    files.write_together(contents)
    return path + '.json'


def join(directory: str) -> typing.Tuple[metrics.Report, typing.Optional[str]]:
    """Puts the parts in `directory` together: metrics.json, metrics.csv, and the page of an export.

    The files of the parts are removed. Returns the report and the path of the page, if any.

    Raises:
        Pix2PixError: there are no parts; one is missing; or they differ in more than their images.
    """
    found = glob.glob(os.path.join(glob.escape(directory), 'shard-*-of-*.json'))
    names = [re.fullmatch('shard-[0-9]+-of-([0-9]+).json', os.path.basename(p)) for p in found]
    counts = {int(name.group(1)) for name in names if name}
    if not counts:
        raise Pix2PixError(f'no parts in {directory}: `shard` of export and evaluate makes them')
    if len(counts) > 1:
        listed = ' and '.join(map(str, sorted(counts)))
        raise Pix2PixError(f'{directory} has parts of {listed}: remove those that are old')
    [count] = counts
    parts = [_read(directory, number, count) for number in range(1, count + 1)]
    for number, part in enumerate(parts, 1):
        for key in ('source', 'pairs', 'options', 'page_of', 'features'):
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
    report = metrics.report(parts[0]['source'], rows, distances)
    page = None
    if parts[0]['page_of']:
        page = pages.write_gallery(report, directory, parts[0]['page_of'])
    metrics.save(report, directory)
    for number in range(1, count + 1):
        for end in ('.json', '.npz'):
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(directory, f'shard-{number}-of-{count}{end}'))
    return report, page


def _read(directory, number, count, end='.json'):
    """A file of a part: a JSON value, or the arrays of an .npz file."""
    path = os.path.join(directory, f'shard-{number}-of-{count}{end}')
    try:
        with open(path, 'rb') as file:
            if end == '.json':
                part = json.loads(file.read().decode())
                if not isinstance(part, dict) or set(part) != _KEYS:
                    raise ValueError('it is no part of an export by this version')
                return part
            with np.load(file) as arrays:
                return dict(arrays)
    except FileNotFoundError:
        raise Pix2PixError(f'{path} is missing: make it with `shard` {number}/{count}') from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise Pix2PixError(f'cannot use {path}: {error}') from error


def _difference(one, other):
    """The first key in which two of the dictionaries in parts differ."""
    if not isinstance(one, dict):
        return ''
    keys = sorted({*one, *other})
    different = [key for key in keys if one.get(key) != other.get(key)]
    return f'{different[0]} ({one.get(different[0])} and {other.get(different[0])})'


def _features(directory, count, kind, total):
    """The features of all images, in their order."""
    parts = []
    for number in range(1, count + 1):
        parts.append(_read(directory, number, count, '.npz')[kind])
    whole = np.empty((total, *parts[0].shape[1:]), parts[0].dtype)
    for number, part in enumerate(parts):
        whole[number::count] = part
    return whole
