"""`make bench`: the speed of the package next to that of the post's own code, in one run.

    python bench/run.py [--rounds=15] [--data=FOLDER] [--torch=PYTHON] [--json=FILE] [--kernels]

Each program runs in its own process. In every round the processes take turns, one piece of work
each, while the others are stopped, so that other load on the machine affects all of them equally.
The output has medians over the rounds and, as the comparison, the median of the ratios of the
rounds with its 95% bootstrap interval. Absolute times mean little on another machine.
"""

import argparse
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

import kernels_table
import numpy as np
from PIL import Image
from table import Table, ratio
from turns import ROOT, Program, environment, take_turns

from pix2pix_tf.config import Config
from pix2pix_tf.dataset import reader_threads
from pix2pix_tf.pairs import draw

PHOTOS = 48  # from which pairs are made
DRAWN = 24  # pairs, if there is no --data
START_ROUNDS = 3  # a start takes long, and its interval does not matter
STEP_GFLOP = 81  # of a train step on one pair
GEMM_GFLOP = 2 * 2048**3 / 1e9
COPY_BYTES = 2**28


def bench_step(table, rounds, data_dir, torch):
    programs = {
        'post': Program('step-post'),
        'ours': Program('step-ours'),
        'queue': Program('step-queue', data_dir),
        'gemm': Program('gemm'),
    }
    if torch:
        programs['torch'] = Program('step-torch', python=torch)
    seconds, peaks = take_turns(programs, rounds)
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    table.head('train step, one pair')
    table.row("the post's code", medians['post'], 's', peak=peaks['post'])
    compared = 'as fast as the post', ratio(seconds['post'], seconds['ours'])
    table.row('pix2pix_tf', medians['ours'], 's', compared, peaks['ours'])
    compared = 'its time on constants', ratio(seconds['queue'], seconds['ours'])
    table.row('pix2pix_tf, fed by its queue', medians['queue'], 's', compared, peaks['queue'])
    if torch:
        compared = "pix2pix_tf's time", ratio(seconds['torch'], seconds['ours'])
        table.row('PyTorch, the usual networks', medians['torch'], 's', compared, peaks['torch'])
    rate = GEMM_GFLOP / medians['gemm']
    floor = STEP_GFLOP / rate
    table.row(f'the arithmetic at {rate:.0f} GFLOP/s', floor, 's')
    table.row('pix2pix_tf over that', medians['ours'] / floor, 'times')
    table.row('copying memory', copy_rate(), 'GB/s')


def bench_bfloat16(table, rounds, torch):
    """The train step in mixed precision, on CPUs that have bfloat16."""
    from pix2pix_tf import session

    if session.precision(Config(mixed_precision=True)) != 'bfloat16':
        return
    programs = {
        'float32': Program('step-ours'),
        'ours': Program('step-ours', 1),
        'post': Program('step-post', 1),
        'post32': Program('step-post'),
    }
    if torch:
        programs['torch'] = Program('step-torch', 1, python=torch)
    seconds, peaks = take_turns(programs, rounds)
    table.head('train step in bfloat16, one pair')
    names = {
        'ours': 'pix2pix_tf, --mixed_precision',
        'float32': 'pix2pix_tf in float32',
        'post': "the post's code, rewritten likewise",
        'post32': "the post's code in float32",
        'torch': 'PyTorch under autocast',
    }
    for name in (n for n in names if n in programs):
        median = float(np.median(seconds[name]))
        compared = None
        if name != 'ours':
            compared = "pix2pix_tf's bfloat16 time", ratio(seconds[name], seconds['ours'])
        table.row(names[name], median, 's', compared, peaks[name])


def copy_rate():
    """GB per second that one thread reads and writes."""
    source, target = np.ones(COPY_BYTES // 8), np.zeros(COPY_BYTES // 8)
    times = []
    for _ in range(15):
        start = time.perf_counter()
        np.copyto(target, source)
        times.append(time.perf_counter() - start)
    return 2 * COPY_BYTES / float(np.median(times)) / 1e9


def bench_images(table, rounds, programs, label=''):
    """Rows for the programs 'post' and 'ours', which measure seconds per image."""
    seconds, peaks = take_turns(programs, rounds)
    rates = {name: 1 / float(np.median(values)) for name, values in seconds.items()}
    table.row("the post's code" + label, rates['post'], 'images/s', peak=peaks['post'])
    compared = 'as fast as the post', ratio(seconds['post'], seconds['ours'])
    table.row('pix2pix_tf' + label, rates['ours'], 'images/s', compared, peaks['ours'])
    return seconds


def bench_pipeline(table, rounds, data_dir):
    table.head('input pipeline alone')
    settings = [(n, n, f'{n} thread{"s" * (n > 1)}') for n in (1, 2, 4)]
    # The post has one reader: with several, its halves would be cropped differently
    settings.append((1, reader_threads(Config()), 'default settings'))
    for post_threads, our_threads, label in settings:
        post = Program('pipeline-post', data_dir, post_threads)
        ours = Program('pipeline-ours', data_dir, our_threads)
        bench_images(table, rounds, {'post': post, 'ours': ours}, f', {label}')


def bench_export(table, rounds, data_dir):
    table.head('export')
    programs = {
        'post': Program('export-post', data_dir),
        'ours': Program('export-ours', data_dir),
        'generator': Program('generator'),
    }
    seconds = bench_images(table, rounds, programs)
    compared = "the export's rate", ratio(seconds['ours'], seconds['generator'])
    rate = 1 / float(np.median(seconds['generator']))
    table.row('its generator alone, one by one', rate, 'images/s', compared)


def bench_predict(table, rounds, data_dir):
    table.head('prediction of single images')
    programs = {'files': Program('predict', data_dir), 'generator': Program('generator')}
    if importlib.util.find_spec('onnxruntime'):
        programs['onnx'] = Program('generator-onnx')
    if importlib.util.find_spec('waitress'):
        programs['serve'] = Program('serve')
    seconds, peaks = take_turns(programs, rounds)
    rates = {name: 1 / float(np.median(values)) for name, values in seconds.items()}
    table.row('generator alone', rates['generator'], 'images/s', peak=peaks['generator'])
    names = {'files': 'pix2pix-predict, files to files', 'onnx': 'the ONNX file in onnxruntime'}
    names['serve'] = 'pix2pix-serve, four clients'
    for name in (n for n in names if n in programs):
        compared = "the generator's rate", ratio(seconds['generator'], seconds[name])
        table.row(names[name], rates[name], 'images/s', compared, peaks[name])


def bench_start(table, rounds, data_dir):
    """From the command to the end of its first step, including imports."""
    table.head('start')
    seconds = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as out:
            start = time.perf_counter()
            command = [sys.executable, os.path.join(ROOT, 'bin', 'pix2pix-train')]
            command += [f'--data={data_dir}', f'--out={out}', '--progress_freq=1', '--save_freq=0']
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                universal_newlines=True,
                env=environment(),
            )
            if not any(line.startswith('progress') for line in process.stdout):
                raise SystemExit('bench: the training did not start')
            seconds.append(time.perf_counter() - start)
            process.kill()
            process.communicate()
    table.row('seconds to the first step', float(np.median(seconds)), 's')


def bench_pairs(table, rounds):
    """Edges from photos of 512x512 pixels, as `make pairs` does."""
    table.head('pairs from photos')
    with tempfile.TemporaryDirectory() as photos:
        write_pairs(photos, PHOTOS)
        for name in os.listdir(photos):
            path = os.path.join(photos, name)
            Image.open(path).crop((0, 0, 256, 256)).resize((512, 512)).save(path, quality=90)
        cores = len(os.sched_getaffinity(0))
        programs = {
            'loop': Program('pairs-loop', photos),
            'one': Program('pairs-ours', photos, 1),
            'all': Program('pairs-ours', photos, cores),
        }
        seconds, _ = take_turns(programs, rounds)
    labels = {'loop': 'a loop of the same calls', 'one': 'pix2pix_tf, 1 process'}
    for name in programs:
        compared = 'as fast as the loop', ratio(seconds['loop'], seconds[name])
        label = labels.get(name, f'pix2pix_tf, {cores} processes')
        rate = 1 / float(np.median(seconds[name]))
        table.row(label, rate, 'images/s', compared if name != 'loop' else None)


def write_pairs(directory, count):
    """Draws pairs as JPEG files, the format of the real datasets."""
    draw.write_pairs(directory, count, seed=1)
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        Image.open(path).save(os.path.splitext(path)[0] + '.jpg', quality=90)
        os.remove(path)


def bench(table, args):
    """All comparisons."""
    with tempfile.TemporaryDirectory() as drawn:
        if not args.data:
            write_pairs(drawn, DRAWN)
        data_dir = os.path.abspath(args.data or drawn)
        bench_step(table, args.rounds, data_dir, args.torch)
        bench_bfloat16(table, args.rounds, args.torch)
        bench_pipeline(table, args.rounds, data_dir)
        bench_export(table, args.rounds, data_dir)
        bench_predict(table, args.rounds, data_dir)
        bench_pairs(table, args.rounds)
        bench_start(table, START_ROUNDS, data_dir)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=15, help='the results are their medians')
    parser.add_argument('--data', help='folder of JPEG pairs; drawn ones by default')
    parser.add_argument('--torch', metavar='PYTHON', help='a Python that has PyTorch')
    parser.add_argument('--json', metavar='FILE', help='also writes the results to this file')
    parser.add_argument(
        '--kernels', action='store_true', help='only times every form of the convolutions'
    )
    args = parser.parse_args()
    for name, exists in (('torch', shutil.which), ('data', os.path.isdir)):
        value = getattr(args, name)
        if value and not exists(value):
            parser.error(f'--{name}={value} does not exist')
    table = Table()
    code = 'import tensorflow; print(tensorflow.__version__)'
    version = subprocess.check_output(
        [sys.executable, '-c', code], stderr=subprocess.DEVNULL, universal_newlines=True
    ).strip()
    machine = f'TensorFlow {version}, {os.cpu_count()} cores of {platform.machine()}'
    print(f'{machine}; medians of {args.rounds} rounds')
    if args.kernels:
        kernels_table.bench_kernels(table, args.rounds)
    else:
        bench(table, args)
    if args.json:
        results = {'machine': machine, 'rounds': args.rounds, 'rows': table.rows}
        with open(args.json, 'w') as file:
            file.write(json.dumps(results, indent=2) + '\n')


if __name__ == '__main__':
    main()
