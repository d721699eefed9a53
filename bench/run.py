"""`make bench`: how fast the package is, beside the post's own code, in one run.

    python bench/run.py [--rounds=15] [--data=FOLDER] [--torch=PYTHON] [--json=FILE]

Everything that is compared runs in a process of its own; the processes take turns, one piece of
work each in every round, while the others stand still: what else the machine does falls on all of
them alike. Printed are medians over the rounds and, as a comparison, the median of the rounds'
ratios with the bootstrap's 95% interval of it. Absolute times mean little elsewhere.
"""

import argparse
import atexit
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)

WARM_UP = 2  # rounds that do not count
DRAWN = 24  # pairs, where no folder is named
START_ROUNDS = 3  # a start takes long, and its interval is of no interest
STEP_GFLOP = 81  # of a train step of one pair
GEMM_GFLOP = 2 * 2048**3 / 1e9
COPY_BYTES = 2**28


class Worker:
    """One of bench/workers.py, ready to work."""

    def __init__(self, kind, *arguments, python=sys.executable):
        self.process = subprocess.Popen(
            [python, os.path.join(HERE, 'workers.py'), kind, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            universal_newlines=True, cwd=ROOT,
            env=dict(os.environ, PYTHONPATH=ROOT, TF_CPP_MIN_LOG_LEVEL='3'),
        )  # fmt: skip
        # What is stopped would not end by itself if the bench did
        atexit.register(self.process.kill)
        if self.process.stdout.readline() != 'ready\n':
            raise SystemExit(f'bench: {kind} failed:\n{self.process.communicate()[1]}')
        self.process.send_signal(signal.SIGSTOP)

    def work(self):
        """Seconds that its work took. Its threads stand still before and after."""
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write('\n')
        self.process.stdin.flush()
        seconds = float(self.process.stdout.readline())
        self.process.send_signal(signal.SIGSTOP)
        return seconds

    def end(self):
        """Peak memory in MiB."""
        self.process.send_signal(signal.SIGCONT)
        return float(self.process.communicate()[0])


def take_turns(workers, rounds):
    """({name: seconds of each round}, {name: peak MiB}) of {name: Worker}."""
    seconds = {name: [] for name in workers}
    for number in range(WARM_UP + rounds):
        for name, worker in workers.items():
            taken = worker.work()
            if number >= WARM_UP:
                seconds[name].append(taken)
    return seconds, {name: worker.end() for name, worker in workers.items()}


def ratio(slow, fast):
    """(median of the rounds' ratios, low and high of its 95% interval)."""
    ratios = np.array(slow) / np.array(fast)
    draws = np.random.RandomState(0).randint(0, len(ratios), (10000, len(ratios)))
    low, high = np.percentile(np.median(ratios[draws], axis=1), [2.5, 97.5])
    return float(np.median(ratios)), float(low), float(high)


class Table:
    """Prints rows as they come, and keeps them for the JSON file."""

    def __init__(self):
        self.rows = []
        self.title = None

    def head(self, title):
        self.title = title
        print(f'\n{title}', flush=True)

    def row(self, name, value, unit, against=None, compared=None, peak=None, digits=3):
        """A line: a figure and perhaps `compared`, its ratio (median, low, high) to `against`."""
        words = f'  {name:34}{value:9.{digits}f} {unit:9}'
        if compared:
            words += '{:.2f} times {} ({:.2f} to {:.2f})'.format(
                compared[0], against, *compared[1:]
            )
        if peak:
            words += f'  peak {peak:.0f} MiB'
        print(words.rstrip(), flush=True)
        row = {'of': self.title, 'name': name, 'value': value, 'unit': unit}
        if compared:
            row.update(against=against, ratio=compared)
        if peak:
            row['peak_mib'] = peak
        self.rows.append(row)


def bench_step(table, rounds, data_dir, torch):
    workers = {
        'post': Worker('step-post'),
        'ours': Worker('step-ours'),
        'queue': Worker('step-queue', data_dir),
        'gemm': Worker('gemm'),
    }
    if torch:
        workers['torch'] = Worker('step-torch', python=torch)
    seconds, peaks = take_turns(workers, rounds)
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    table.head('train step, one pair')
    table.row("the post's code", medians['post'], 's', peak=peaks['post'])
    compared = ratio(seconds['post'], seconds['ours'])
    table.row('pix2pix_tf', medians['ours'], 's', 'as fast as the post', compared, peaks['ours'])
    compared = ratio(seconds['queue'], seconds['ours'])
    table.row('pix2pix_tf, fed by its queue', medians['queue'], 's', 'its time on constants',
              compared, peaks['queue'])  # fmt: skip
    if torch:
        compared = ratio(seconds['torch'], seconds['ours'])
        table.row('PyTorch, the usual networks', medians['torch'], 's', "pix2pix_tf's time",
                  compared, peaks['torch'])  # fmt: skip
    rate = GEMM_GFLOP / medians['gemm']
    floor = STEP_GFLOP / rate
    table.row(f'the arithmetic at {rate:.0f} GFLOP/s', floor, 's')
    table.row('pix2pix_tf over that', medians['ours'] / floor, 'times', digits=2)
    table.row('copying memory', copy_rate(), 'GB/s', digits=1)


def copy_rate():
    """GB read and written a second, by one thread."""
    source, target = np.ones(COPY_BYTES // 8), np.zeros(COPY_BYTES // 8)
    times = []
    for _ in range(15):
        start = time.perf_counter()
        np.copyto(target, source)
        times.append(time.perf_counter() - start)
    return 2 * COPY_BYTES / float(np.median(times)) / 1e9


def bench_images(table, rounds, workers, label=''):
    """Rows for {'post': ..., 'ours': ...} that take some seconds for each image."""
    seconds, peaks = take_turns(workers, rounds)
    compared = ratio(seconds['post'], seconds['ours'])
    for name, words in (('post', "the post's code"), ('ours', 'pix2pix_tf')):
        rate = 1 / float(np.median(seconds[name]))
        against = ('as fast as the post', compared) if name == 'ours' else ()
        table.row(words + label, rate, 'images/s', *against, peak=peaks[name], digits=1)
    return seconds


def bench_pipeline(table, rounds, data_dir):
    table.head('input pipeline alone')
    settings = [(n, n, f'{n} thread{"s" * (n > 1)}') for n in (1, 2, 4)]
    # The post has one reader, whose halves more of them would crop apart; the package, one a core
    settings.append((1, len(os.sched_getaffinity(0)), 'as it comes'))
    for of_post, of_ours, label in settings:
        workers = {
            'post': Worker('pipeline-post', data_dir, of_post),
            'ours': Worker('pipeline-ours', data_dir, of_ours),
        }
        bench_images(table, rounds, workers, f', {label}')


def bench_export(table, rounds, data_dir):
    table.head('export')
    workers = {
        'post': Worker('export-post', data_dir),
        'ours': Worker('export-ours', data_dir),
        'generator': Worker('generator'),
    }
    seconds = bench_images(table, rounds, workers)
    compared = ratio(seconds['ours'], seconds['generator'])
    rate = 1 / float(np.median(seconds['generator']))
    table.row(
        'its generator alone, one by one', rate, 'images/s', "the export's rate", compared, digits=1
    )


def bench_start(table, rounds, data_dir):
    """From the command to the end of its first step, imports included."""
    table.head('start')
    seconds = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as out:
            start = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, os.path.join(ROOT, 'bin', 'pix2pix-train'), f'--data={data_dir}',
                 f'--out={out}', '--progress_freq=1', '--save_freq=0'],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
                env=dict(os.environ, PYTHONPATH=ROOT),
            )  # fmt: skip
            if not any(line.startswith('progress') for line in process.stdout):
                raise SystemExit('bench: the training did not start')
            seconds.append(time.perf_counter() - start)
            process.kill()
            process.communicate()
    table.row('seconds to the first step', float(np.median(seconds)), 's', digits=1)


def write_pairs(directory, count):
    """Draws the demo's pairs as JPEG files, which the real data sets consist of."""
    from pix2pix_tf.pairs import drawing

    drawing.write_pairs(directory, count, seed=1)
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        Image.open(path).save(os.path.splitext(path)[0] + '.jpg', quality=90)
        os.remove(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=15, help='of which medians are taken')
    parser.add_argument('--data', help='folder of JPEG pairs; drawn ones by default')
    parser.add_argument('--torch', metavar='PYTHON', help='a Python that has PyTorch')
    parser.add_argument('--json', metavar='FILE', help='where the figures go as well')
    args = parser.parse_args()
    table = Table()
    with tempfile.TemporaryDirectory() as drawn:
        if not args.data:
            write_pairs(drawn, DRAWN)
        data_dir = os.path.abspath(args.data or drawn)
        version = subprocess.check_output(
            [sys.executable, '-c', 'import tensorflow; print(tensorflow.__version__)'],
            stderr=subprocess.DEVNULL, universal_newlines=True,
        ).strip()  # fmt: skip
        machine = f'TensorFlow {version}, {os.cpu_count()} cores of {platform.machine()}'
        print(f'{machine}; medians of {args.rounds} rounds')
        bench_step(table, args.rounds, data_dir, args.torch)
        bench_pipeline(table, args.rounds, data_dir)
        bench_export(table, args.rounds, data_dir)
        bench_start(table, START_ROUNDS, data_dir)
    if args.json:
        with open(args.json, 'w') as file:
            json.dump(
                {'machine': machine, 'rounds': args.rounds, 'rows': table.rows}, file, indent=2
            )
            file.write('\n')


if __name__ == '__main__':
    main()
