"""Plots a training: losses and validation metrics over steps."""

import contextlib
import importlib.util
import io
import logging
import os

import numpy as np

from pix2pix_tf.monitoring import csv_log
from pix2pix_tf.system import files
from pix2pix_tf.system.errors import Pix2PixError, how_to_install

FILENAME = 'curves.png'
MARK = 'pix2pix_tf: curves of a training'  # in every such file of this package

# {title of a panel: its columns of losses.csv}
_LOSSES = {
    'GAN losses': ('losses/discrim_loss', 'losses/gen_loss_GAN'),
    'L1 loss (values from -1 to 1)': ('losses/gen_loss_L1',),
}
_METRICS = {
    'validation (values from 0 to 1)': ('validation/L1', 'validation/RMSE'),
    'validation (higher is closer)': ('validation/SSIM', 'validation/MS-SSIM'),
    'validation (lower is closer)': ('validation/LPIPS',),
}
_LEAST_WINDOW = 5  # values in a running mean


def plot(out: str) -> str:
    """Plots losses.csv of the folder `out` to curves.png there; returns the path of that file.

    Losses are drawn pale, with a running mean on top; the step with the highest validation MS-SSIM
    is marked.

    Raises:
        UsageError: there is another curves.png.
        Pix2PixError: there is nothing to plot, matplotlib is not installed, or the file cannot be
            written.
    """
    path = os.path.join(out, FILENAME)
    if os.path.isfile(path):
        files.check_ours(path, MARK, 'out')
    rows = csv_log.load(out)
    if not rows:
        raise Pix2PixError(
            f'no {csv_log.FILENAME} with a row in {out}: train first, with `summary_freq` above 0'
        )
    logging.getLogger('matplotlib').setLevel(logging.ERROR)  # it reports on its font cache
    try:
        # The object-oriented interface needs no display and leaves no global state
        with _known_backend():
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
    except ImportError as error:
        raise Pix2PixError(f'cannot use matplotlib ({error}): {how_to_install("plot")}') from error

    best = csv_log.best_step(rows)
    panels = {
        title: columns
        for title, columns in {**_LOSSES, **_METRICS}.items()
        if any(column in row for row in rows for column in columns)
    }
    if not panels:
        raise Pix2PixError(
            f'{out}/{csv_log.FILENAME} has no column to plot, such as losses/gen_loss_L1'
        )
    lines = -(-len(panels) // 2)
    figure = Figure(figsize=(10, 3.2 * lines), dpi=100)
    FigureCanvasAgg(figure)
    for number, (title, columns) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(lines, 2, number)
        for color, column in enumerate(columns):
            _draw(axes, rows, column, f'C{color}', smooth=title in _LOSSES)
        if best and csv_log.BEST_BY in columns:
            axes.axvline(best, color='0.5', linestyle=':', label=f'step {best}')
        axes.set_title(title, loc='left', fontsize=10)
        axes.set_xlabel('step')
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(
            ncol=3,
            fontsize=8,
            frameon=False,
            handlelength=1,
            columnspacing=1,
            loc='lower right',
            bbox_to_anchor=(1, 1),  # beside the title, where it covers no points
            borderaxespad=0.2,
        )
    figure.tight_layout()
    image = io.BytesIO()
    figure.savefig(image, format='png', metadata={'Title': MARK})
    files.write_whole(path, image.getvalue())
    return path


@contextlib.contextmanager
def _known_backend():
    """Hides MPLBACKEND where matplotlib, which reads it when it is imported, would not know it.

    Notebooks set it for all that they start, also for environments without their module. It is not
    used here, but stays in force for what a notebook itself draws.
    """
    name = os.environ.get('MPLBACKEND', '')
    package = name[len('module://') :].split('.')[0] if name.startswith('module://') else ''
    if package and importlib.util.find_spec(package):
        yield
        return
    os.environ.pop('MPLBACKEND', None)
    try:
        yield
    finally:
        if name:
            os.environ['MPLBACKEND'] = name


def _draw(axes, rows, column, color, smooth):
    points = [(row['step'], row[column]) for row in rows if column in row]
    steps, values = np.array(points).reshape(-1, 2).T
    label = column.split('/')[-1]
    window = max(len(values) // 25, _LEAST_WINDOW)
    if not smooth or len(values) < 2:
        axes.plot(steps, values, color=color, label=label, marker='.', markersize=4)
        return
    axes.plot(steps, values, color=color, alpha=0.25, linewidth=0.8)
    # The mean of the last `window` values; at the start, of all values so far
    sums = np.cumsum(np.insert(values, 0, 0))
    starts = np.maximum(np.arange(len(values)) + 1 - window, 0)
    ends = np.arange(len(values)) + 1
    axes.plot(steps, (sums[ends] - sums[starts]) / (ends - starts), color=color, label=label)
