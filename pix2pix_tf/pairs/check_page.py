"""The findings of a check as check.html and check.json."""

import base64
import collections
import json
import os
from typing import Counter, Dict, List

import numpy as np

from pix2pix_tf.pairs import find
from pix2pix_tf.pairs.check import Facts, Findings
from pix2pix_tf.system import files, templates

PAGE = 'check.html'
JSON = 'check.json'

_SHEET = 24  # pairs on a contact sheet
_MOST = 100  # lines of one kind on the page; the JSON file has all


def write_page(findings: Findings, out: str) -> str:
    """Writes both files to the folder `out`; returns the path of the page.

    Raises:
        Pix2PixError: one cannot be written.
    """
    files.prepare_directory(out)
    good = [one for one in findings.facts if not one.fault]
    values = {
        'folder': findings.folder,
        'faults': findings.faults,
        'warnings': findings.warnings,
        'flip': findings.flip,
        'parts': [
            _part(name, facts, findings.panels) for name, facts in _by_part(findings).items()
        ],
        'labels': _labels(good),
    }
    rows = [_row(one) for one in findings.facts]
    data = dict(values, copies=findings.copies, doubtful=findings.doubtful, files=rows)
    step = -(-len(good) // _SHEET) or 1
    copies = {path for both in findings.copies[: _SHEET // 2] for path in both}
    page = templates.render(
        'pix2pix_tf.pairs',
        PAGE,
        most=_MOST,
        sample=_shown(good[::step], findings.folder),
        copies=_shown([one for one in good if one.path in copies], findings.folder),
        doubtful=_shown(
            [one for one in good if one.path in findings.doubtful][:_SHEET], findings.folder
        ),
        **values,
    )
    contents = (json.dumps(data, indent=1) + '\n').encode()
    path = os.path.join(out, PAGE)
    files.write_together({os.path.join(out, JSON): contents, path: page})
    return path


def _by_part(findings):
    parts: Dict[str, List[Facts]] = collections.OrderedDict()
    for one in findings.facts:
        parts.setdefault(one.part or 'pairs', []).append(one)
    return parts


def _part(name, facts, panels):
    """A row of the table of parts."""
    good = [one for one in facts if not one.fault]
    row = {'name': name, 'pairs': len(good), 'bad': len(facts) - len(good)}
    if not good:
        return dict(row, sizes='', formats='', brightness='', correlation='')
    kinds = collections.Counter(one.kind for one in good).most_common()
    return dict(
        row,
        sizes=find.describe_panels([one.size for one in good], panels),
        formats=', '.join(f'{count} {kind}' for kind, count in kinds),
        brightness=', '.join(
            f'{np.mean(values):.2f}' for values in zip(*(one.brightness for one in good))
        ),
        correlation=f'{np.median([one.correlation for one in good]):.2f}',
    )


def _labels(facts):
    """{side: {color: share of the area}} of the sides that are label maps in most files."""
    labels = {}
    for number, side in enumerate('AB'):
        maps = [one.colors[number] for one in facts if one.colors[number]]
        if 2 * len(maps) <= len(facts):
            continue
        shares: Counter = collections.Counter()
        for colors in maps:
            shares.update({color: share / len(maps) for color, share in colors.items()})
        labels[side] = dict(shares.most_common(_MOST))
    return labels


def _row(one):
    """A file in check.json."""
    row = {'path': one.path, 'part': one.part, 'fault': one.fault}
    if one.fault:
        return row
    return dict(
        row,
        size=list(one.size),
        format=one.kind,
        sha256=one.digest,
        correlation=round(one.correlation, 4),
        brightness=[round(value, 4) for value in one.brightness],
    )


def _shown(facts, folder):
    return [
        (os.path.relpath(one.path, folder), base64.b64encode(one.thumbnail).decode())
        for one in facts
    ]
