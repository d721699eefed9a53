"""The results of `make reproduce` as results.md, with its pictures."""

import glob
import itertools
import json
import os

import numpy as np
from PIL import Image

from pix2pix_tf.evaluation import metrics
from pix2pix_tf.evaluation.report import JSON_FILE
from pix2pix_tf.monitoring import csv_log, plot
from pix2pix_tf.monitoring.progress import LOSS_LABELS

STRIP = 5  # validation pairs that strip.jpg shows
SIDE = 128  # pixels of an image in strip.jpg
COMPARED = {  # folder: (folder of its metrics, title); {} is the step
    'run': ('steps/{}', 'pix2pix_tf, seed 1'),
    'seed-2': ('compared/seed-2', 'pix2pix_tf, seed 2'),
    'post': ('compared/post', "the post's code, weights of seed 1"),
}


def write(out, compared, pictures=None):
    """Writes results.md to the folder `out`, from the results so far.

    `compared` is the step of the comparison with the post.
    """
    reports = glob.glob(os.path.join(glob.escape(out), 'steps', '*', JSON_FILE))
    steps = sorted(int(path.split(os.sep)[-2]) for path in reports)
    if not steps:
        return
    plot.plot(os.path.join(out, 'run'))
    parts = ['# Results', '## Validation pairs', _steps_table(out, steps), '![](run/curves.png)']
    _draw_strip(out, steps)
    parts.append('Input, output after ' + ', '.join(map(str, steps)) + ' steps, target:')
    parts.append('![](strip.jpg)')
    if os.path.exists(os.path.join(out, 'compared', 'post', JSON_FILE)):
        curves = {folder: _averages(out, folder, compared) for folder in COMPARED}
        _draw_comparison(out, curves)
        parts += ["## Next to the post's code", _comparison_table(out, compared)]
        parts += ['![](comparison.png)', _distances_table(curves, compared)]
    if pictures:
        parts += ["## The post's pictures", _pictures_table(out, pictures)]
    with open(os.path.join(out, 'results.md'), 'w', encoding='utf-8') as file:
        file.write('\n\n'.join(parts) + '\n')


def sharpness(image):
    """The mean gradient magnitude of the luma of [height, width, 3] uint8, on a scale of 0 to 1."""
    luma = np.float64(image) @ [0.299, 0.587, 0.114] / 255
    return float(np.hypot(*np.gradient(luma)).mean())


def _report(folder):
    with open(os.path.join(folder, JSON_FILE), encoding='utf-8') as file:
        return json.load(file)


def _table(head, rows):
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join('| ' + ' | '.join(map(str, line)) + ' |' for line in lines)


def _with_interval(summary):
    return f'{summary["mean"]:.4g} ({summary["low"]:.4g} to {summary["high"]:.4g})'


def _row(title, folder):
    summaries = _report(folder)['summaries']
    return [title, *(_with_interval(summaries[name]) for name in metrics.NAMES)]


def _steps_table(out, steps):
    rows = [_row(step, os.path.join(out, 'steps', str(step))) for step in steps]
    return _table(['step', *metrics.NAMES], rows)


def _comparison_table(out, step):
    rows = [_row(title, os.path.join(out, path.format(step))) for path, title in COMPARED.values()]
    return _table([f'after {step} steps', *metrics.NAMES], rows)


def _pictures_table(out, pictures):
    """The metrics of the outputs that the post shows next to ours, of the last step measured."""
    folders = glob.glob(os.path.join(glob.escape(out), 'pictures', '*'))
    folder = max(folders, key=lambda path: int(os.path.basename(path)))
    rows, values = [], {'the post': [], 'pix2pix_tf': []}
    for row in _report(folder)['images']:
        name = row['name']
        target = _read(os.path.join(pictures, name + '-targets.png'))
        outputs = {
            'the post': _read(os.path.join(pictures, name + '-outputs.png')),
            'pix2pix_tf': _read(os.path.join(folder, 'images', name + '-outputs.png')),
        }
        for source, output in outputs.items():
            compared = metrics.compare(output, target)
            values[source].append([*(compared[n] for n in metrics.NAMES), sharpness(output)])
            rows.append([name, source, *(f'{value:.4g}' for value in values[source][-1])])
    for source, lines in values.items():
        rows.append(['mean', source, *(f'{value:.4g}' for value in np.mean(lines, axis=0))])
    return _table(['picture', f'step {os.path.basename(folder)}', *metrics.NAMES, 'gradient'], rows)


def _read(path):
    return np.asarray(Image.open(path).convert('RGB'))


def _draw_strip(out, steps):
    """A row for each of some pairs: the input, the output after each step, the target."""
    names = [row['name'] for row in _report(os.path.join(out, 'steps', str(steps[0])))['images']]
    columns = [(steps[0], 'inputs'), *((step, 'outputs') for step in steps), (steps[0], 'targets')]
    strip = Image.new('RGB', (SIDE * len(columns), SIDE * min(STRIP, len(names))))
    for y, name in enumerate(names[:: max(len(names) // STRIP, 1)][:STRIP]):
        for x, (step, kind) in enumerate(columns):
            path = os.path.join(out, 'steps', str(step), 'images', f'{name}-{kind}.png')
            image = Image.open(path).resize((SIDE, SIDE), Image.LANCZOS)
            strip.paste(image, (x * SIDE, y * SIDE))
    strip.save(os.path.join(out, 'strip.jpg'), quality=85)


def _averages(out, folder, last):
    """{step: {loss: its moving average}} of one of the runs in COMPARED."""
    rows = [row for row in csv_log.load(os.path.join(out, folder)) if row['step'] <= last]
    return {row['step']: {name: row['averages/' + name] for name in LOSS_LABELS} for row in rows}


def _distances_table(curves, last):
    """How far apart the curves of comparison.png are, on average after their common rise."""
    rows = []
    for one, other in itertools.combinations(curves, 2):
        steps = [step for step in set(curves[one]) & set(curves[other]) if step >= last / 4]
        row = [f'{COMPARED[one][1]}; {COMPARED[other][1]}']
        for name in LOSS_LABELS:
            distances = [abs(curves[one][step][name] - curves[other][step][name]) for step in steps]
            row.append(f'{np.mean(distances):.2g}')
        rows.append(row)
    return _table([f'distance, steps {last // 4} to {last}', *LOSS_LABELS], rows)


def _draw_comparison(out, curves):
    """The averages of the losses, as the post computes them: {a run in COMPARED: `_averages`}."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.6), dpi=100)
    FigureCanvasAgg(figure)
    for number, name in enumerate(LOSS_LABELS, 1):
        axes = figure.add_subplot(1, 3, number)
        for folder, averages in curves.items():
            points = list(averages), [row[name] for row in averages.values()]
            axes.plot(*points, label=COMPARED[folder][1], color='k' if folder == 'post' else None)
        axes.set_title(name + ', moving average')
        axes.set_xlabel('step')
        axes.grid(alpha=0.3)
    axes.legend(loc='lower right')
    figure.tight_layout()
    figure.savefig(os.path.join(out, 'comparison.png'))
