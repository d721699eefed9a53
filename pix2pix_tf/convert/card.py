"""The model card next to a converted generator: README.md, as model hubs show it."""

import os
import re
from typing import Dict, Iterator, List, Tuple

from pix2pix_tf import __version__
from pix2pix_tf.config import describe_size
from pix2pix_tf.inference import onnx_file
from pix2pix_tf.inference.trained import Trained, saved_data, saved_options
from pix2pix_tf.system import files
from pix2pix_tf.system.console import count
from pix2pix_tf.system.errors import DataError
from pix2pix_tf.system.parsing import parse_json

MARK = 'converted by pix2pix_tf'  # is in every card

_FRONT = """---
license: unknown
pipeline_tag: image-to-image
tags:
- pix2pix
- image-to-image
{tags}
---
"""
_FILENAME = 'README.md'

# Where known datasets are from, by the names of their folders
_SOURCES = {
    'facades': 'CMP Facade Database, by R. Tyleček and R. Šára '
    '(http://cmp.felk.cvut.cz/~tylecr1/facade/); terms of use: ask its authors',
}


def write(source: Trained, uses: Dict[str, str]) -> str:
    """The text of the card: what the model is, how it was trained, how it is used.

    `uses` is {format: a line of Markdown that begins with the name of the file in backquotes}. The
    license stays "unknown": the person who trained the model chooses it.
    """
    config = saved_options(source)
    ways = {'BtoA': 'from the right half of a pair to the left', 'AtoB': 'from left to right'}
    rows = [
        ('Image size', f'{describe_size(config.crop_size)} pixels'),
        *_panels(config),
        ('Direction', f'{config.direction}: {ways[config.direction]}'),
        ('Training steps', source.step or 'unknown'),
        ('Batch size, filters', f'{config.batch_size}, {config.ngf}'),
        ('Seed', 'none' if config.seed is None else config.seed),
        *facts(source),
    ]
    tags = '\n'.join(f'- {format}' for format in uses)
    listed = '\n'.join(f'- **{format}**: {usage}' for format, usage in uses.items())
    table = '\n'.join(f'| {name} | {value} |' for name, value in rows)
    return (
        f'{_FRONT.format(tags=tags)}\n# pix2pix generator\n\n'
        'Image-to-image translation ([Isola et al., 2017](https://arxiv.org/abs/1611.07004)), '
        f'{MARK} {__version__}. options.json has all options of the training.\n\n'
        f'| | |\n|---|---|\n{table}\n\n## Use\n\n{listed}\n'
    )


def facts(source: Trained) -> List[Tuple[str, str]]:
    """Rows of the card that are known only where the model was trained, or in its ONNX file."""
    if source.is_onnx:
        return onnx_file.read(source.checkpoint).facts
    data = saved_data(source)
    name = _name_of(data.folder) if data else 'unknown'
    origin = [('Source of the data', _SOURCES[name])] if name in _SOURCES else []
    return [('Data', name), *origin, *_metrics(source.folder, source.checkpoint)]


def read_uses(folder: str) -> Dict[str, str]:
    """The `uses` of the card in `folder`, for files that still exist."""
    path = os.path.join(folder, _FILENAME)
    if not os.path.exists(path):
        return {}
    text = files.read(path).decode('utf-8', 'replace')
    found = re.findall(r'^- \*\*(\w+)\*\*: (`([\w.]+)`, .*)$', text, re.MULTILINE)
    return {
        format: usage for format, usage, name in found if os.path.exists(os.path.join(folder, name))
    }


def _panels(config):
    """A row about the panels of a model, unless its input and output are one RGB image."""
    if not config.is_rgb_pair:
        kind = {3: 'RGB', 1: 'gray'}[config.channels]
        yield (
            'Images',
            f'{count(config.input_panels, "input")} and {count(config.output_panels, "output")}, '
            f'{kind}, {config.bits} bits',
        )


def _name_of(folder):
    """The name of a dataset: its folder, or the folder above if that is the part `train`."""
    above, name = os.path.split(folder)
    return os.path.basename(above) if name == 'train' else name


def _metrics(folder: str, checkpoint: str) -> Iterator[Tuple[str, str]]:
    """The metrics of the last evaluation, if it was of this checkpoint."""
    try:
        report = parse_json(files.read(os.path.join(folder, 'metrics.json')))
        same = os.path.basename(report['source']['checkpoint']) == os.path.basename(checkpoint)
        summaries = report['summaries'] if same else {}
        for name, summary in summaries.items():
            yield (
                name,
                f'{summary["mean"]:.4f} on {count(len(report["images"]), "validation image")}',
            )
    except (DataError, ValueError, LookupError, TypeError, AttributeError):
        return
