"""The model card next to a converted generator: README.md, as model hubs show it."""

import json
import os
from typing import Iterator, Tuple

from pix2pix_tf import __version__, options_file
from pix2pix_tf.config import describe_size
from pix2pix_tf.inference.trained import Trained
from pix2pix_tf.system.console import count

MARK = 'converted by pix2pix_tf'  # is in every card

_FRONT = """---
license: unknown
pipeline_tag: image-to-image
tags:
- pix2pix
- image-to-image
- {format}
---
"""


def write(source: Trained, format: str, usage: str) -> str:
    """The text of the card: what the model is, how it was trained, how it is used.

    `usage` is a block of Markdown. The license stays "unknown": the person who trained the model
    chooses it.
    """
    config = options_file.load(source.folder) or source.config
    data = options_file.load_data(source.folder)
    ways = {'BtoA': 'from the right half of a pair to the left', 'AtoB': 'from left to right'}
    rows = [
        ('Image size', f'{describe_size(config.crop_size)} pixels'),
        ('Direction', f'{config.direction}: {ways[config.direction]}'),
        ('Training steps', source.step or 'unknown'),
        ('Batch size, filters', f'{config.batch_size}, {config.ngf}'),
        ('Data', _name_of(data.folder) if data else 'unknown'),
        *_metrics(source.folder, source.checkpoint),
    ]
    table = '\n'.join(f'| {name} | {value} |' for name, value in rows)
    return (
        f'{_FRONT.format(format=format)}\n# pix2pix generator\n\n'
        'Image-to-image translation ([Isola et al., 2017](https://arxiv.org/abs/1611.07004)), '
        f'{MARK} {__version__}. options.json has all options of the training.\n\n'
        f'| | |\n|---|---|\n{table}\n\n## Use\n\n{usage}\n'
    )


def _name_of(folder):
    """The name of a dataset: its folder, or the folder above if that is the part `train`."""
    above, name = os.path.split(folder)
    return os.path.basename(above) if name == 'train' else name


def _metrics(folder: str, checkpoint: str) -> Iterator[Tuple[str, str]]:
    """The metrics of the last evaluation, if it was of this checkpoint."""
    try:
        with open(os.path.join(folder, 'metrics.json')) as file:
            report = json.load(file)
        same = os.path.basename(report['source']['checkpoint']) == os.path.basename(checkpoint)
        summaries = report['summaries'] if same else {}
        for name, summary in summaries.items():
            yield (
                name,
                f'{summary["mean"]:.4f} on {count(len(report["images"]), "validation image")}',
            )
    except (OSError, ValueError, KeyError, TypeError):
        return
