"""HTML pages: of an export, of predictions, and of the validation images during a training.

Each page is one file without external resources, next to a folder of PNGs. Names are escaped.
"""

import os
import shlex
import urllib.parse
from typing import List, NamedTuple, Sequence

from pix2pix_tf import image_names, options_file
from pix2pix_tf.config import Size
from pix2pix_tf.evaluation import metrics
from pix2pix_tf.evaluation.report import EvaluationReport
from pix2pix_tf.pairs import find
from pix2pix_tf.system import files, templates
from pix2pix_tf.system.console import count
from pix2pix_tf.system.errors import Pix2PixError

GALLERY_FILE = 'index.html'
DEVELOPMENT_FILE = 'development.html'
REFRESH = 10  # seconds between two looks at the page of a running training
_BESIDE = {DEVELOPMENT_FILE: 'images during the training', 'curves.png': 'losses and metrics'}
_FOLLOWS_THE_EYE = 'LPIPS'  # the page opens sorted by it
_MARK = '--accent: #2a6fdb'  # is in the style of every page


def check_ours(out: str, option: str, name: str = GALLERY_FILE) -> None:
    """Checks that the page `name` in `out`, if it exists, is one of these: it will be replaced.

    `option` is the one that names the folder.

    Raises:
        UsageError: it was written by another program.
    """
    files.check_ours(os.path.join(out, name), _MARK, option)


# (height, width) in pixels, or with panels (height, width of an input, width of an output), as
# `images.page_size` returns it
Sides = Sequence[int]


def write_gallery(report: EvaluationReport, out: str, size: Sides) -> str:
    """Writes index.html in `out`: the images of `report` in `out`/images, sortable by metric.

    It opens sorted by LPIPS if that was measured, otherwise in the order of the folder. It links
    the other pages in `out`. Returns the path of the page.

    Raises:
        Pix2PixError: it cannot be written.
    """
    source = report.source
    rows = [_gallery_row(row, source['samples']) for row in report.images]
    figures = report.labels.figures if report.labels else {}
    return _write(
        os.path.join(out, GALLERY_FILE),
        'gallery.html',
        title=f'{count(len(rows), "pair")} of {source["data"]}',
        subtitle=f'{source["checkpoint"]}, step {source["step"]}'
        + (', without dropout' if 'dropout' in source else '')
        + _training_data(source),
        **_sides(size),
        rows=rows,
        summaries=report.summaries,
        figures=figures,
        distances=report.distances,
        classes=report.labels.classes if report.labels else [],
        better={name: _better(name) for name in (*report.summaries, *figures, *report.distances)},
        blurring=[name for name in metrics.PREFER_BLUR if name in report.summaries],
        first=_FOLLOWS_THE_EYE if _FOLLOWS_THE_EYE in report.summaries else '',
        links={
            file: text for file, text in _BESIDE.items() if os.path.isfile(os.path.join(out, file))
        },
        model=shlex.quote(_model(source)),
    )


def _better(name):
    """'lower' or 'higher'; '' for a metric that says nothing about quality."""
    if name == metrics.DIVERSITY:
        return ''
    return 'lower' if metrics.without_panel(name) in metrics.LOWER_IS_BETTER else 'higher'


def _model(source):
    """The folder of the model in a report's `source`."""
    folder, name = os.path.split(source['checkpoint'])
    if (os.path.basename(folder), name) == ('variables', 'variables'):  # of a SavedModel
        folder = os.path.dirname(folder)
    return folder or '.'


def _training_data(source):
    """Whether the model was trained on the pairs that are shown, in words; '' if unknown."""
    try:
        trained = options_file.load_data(_model(source))
        shown = options_file.describe_data(source['data'], find.find_images(source['data'])[0])
    except (Pix2PixError, OSError):
        return ''
    if not trained:
        return ''
    if trained.folder == shown.folder or trained.digest == shown.digest:
        return '; trained on these pairs'
    parent, name = os.path.split(trained.folder)
    return f'; not trained on these pairs, but on {os.path.join(os.path.basename(parent), name)}'


def _gallery_row(row, samples):
    name = row['name']
    shown = [(kind.rstrip('s'), image_names.filename(name, kind)) for kind in image_names.KINDS]
    shown += [
        (f'output {number}', image_names.filename(name, 'outputs', number))
        for number in range(2, samples + 1)
    ]
    return {
        'name': name,
        'metrics': {metric: value for metric, value in row.items() if metric != 'name'},
        'images': [(label, _address('images', file)) for label, file in shown],
    }


def write_development(
    out: str,
    directory: str,
    names: Sequence[str],
    steps: Sequence[int],
    size: Sides,
    running: bool = False,
) -> str:
    """Writes development.html in `out`: a row for each of `names`, a column for each of `steps`.

    The images are {name}-inputs.png, {name}-targets.png and {name}-{step}.png in the folder
    `directory` of `out`. The last of `steps` comes first. With `running`, the page reloads itself.
    Returns the path of the page.

    Raises:
        Pix2PixError: it cannot be written.
    """
    newest_first = [str(step) for step in reversed(steps)]
    kinds = [('input', 'inputs'), ('target', 'targets'), *((step, step) for step in newest_first)]
    rows = [
        {
            'name': name,
            'images': [
                (label, _address(directory, image_names.filename(name, kind)))
                for label, kind in kinds
            ],
        }
        for name in names
    ]
    return _write(
        os.path.join(out, DEVELOPMENT_FILE),
        'development.html',
        title='Validation images during training',
        subtitle=out,
        **_sides(size),
        steps=newest_first,
        rows=rows,
        refresh=REFRESH if running else 0,
    )


class PredictionRow(NamedTuple):
    """A row of the page of predictions; paths are relative to the page."""

    name: str
    preview: str  # path of the input in a format that browsers show
    outputs: List[str]  # paths
    size: Size


def write_predictions(to: str, subtitle: str, predictions: Sequence[PredictionRow]) -> str:
    """Writes index.html in the folder `to`: input and outputs of each of `predictions`.

    Returns the path of the page.

    Raises:
        Pix2PixError: it cannot be written.
    """
    rows = [
        {
            'name': p.name,
            'images': [
                ('input', _address(p.preview)),
                *(('output', _address(output)) for output in p.outputs),
            ],
            'width': p.size[1],
            'height': p.size[0],
        }
        for p in predictions
    ]
    return _write(
        os.path.join(to, GALLERY_FILE),
        'predictions.html',
        title=count(len(rows), 'image'),
        subtitle=subtitle,
        rows=rows,
    )


def _sides(size):
    height, *widths = size
    return {'width': widths[-1], 'height': height, 'input_width': widths[0]}


def _address(*parts):
    return '/'.join(urllib.parse.quote(os.fsencode(part)) for part in parts)


def _write(path, template, **values):
    files.write_whole(path, templates.render('pix2pix_tf.evaluation', template, **values))
    return path
