"""What must not end in a traceback: --help, seeds, sizes, a broken TensorFlow."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.helpers import (
    ROOT,
    WATCHED,
    contents,
    error_line,
    run_command,
    run_real_command,
    write_pair,
)

from pix2pix_tf import training
from pix2pix_tf.cli import main
from pix2pix_tf.monitoring import csv_log, plot


@pytest.fixture
def broken(tmp_path):
    """A function: an environment in which importing TensorFlow runs this line."""
    folder = tmp_path / 'broken'
    (folder / 'tensorflow').mkdir(parents=True)

    def environment(line):
        (folder / 'tensorflow' / '__init__.py').write_text(line + '\n')
        return {'PYTHONPATH': os.pathsep.join([str(folder), ROOT])}

    return environment


@pytest.mark.parametrize(
    'line, words',
    [
        ('raise TypeError("Descriptors cannot\\nbe created")', 'Descriptors cannot be created'),
        ('import os; os.no_such_name', "module 'os' has no attribute 'no_such_name'"),
        ('raise RuntimeError', 'RuntimeError'),
        ('raise ImportError("no such library")', 'no such library'),
    ],
)
def test_a_tensorflow_that_does_not_import_for_any_reason_is_one_line(
    broken, tmp_path, pairs, line, words
):
    flags = [f'--data={pairs}', f'--out={tmp_path / "out"}']
    printed = error_line(run_real_command('train', *flags, environment=broken(line)), 1)
    assert printed == f'pix2pix-train: cannot use TensorFlow ({words}): see `make setup`'
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('command', main.COMMANDS)
def test_help_succeeds_and_needs_no_tensorflow(broken, command):
    trap = broken('import os; os._exit(7)')
    result = run_real_command(command, '--help', environment=trap)
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout.startswith(f'usage: pix2pix-{command} [--flag=value ...]')


def test_data_and_demo_need_no_tensorflow(broken, tmp_path):
    trap = broken('import os; os._exit(7)')
    flags = {'data': ['--name=maps'], 'demo': ['--train_pairs=1', '--val_pairs=1']}
    (tmp_path / 'maps').mkdir()
    for command in ('data', 'demo'):
        root = f'--root={tmp_path}'
        result = run_real_command(command, root, *flags[command], environment=trap)
        assert (result.returncode, result.stderr) == (0, '')
    assert sorted(os.listdir(str(tmp_path))) == ['broken', 'maps', 'train', 'val']


@pytest.mark.parametrize('command', ['train', 'export', 'evaluate', 'demo'])
def test_a_seed_out_of_range_is_wrong_usage(command, tmp_path):
    for seed in (-1, 2**31, 2**63):
        result = run_command(command, f'--seed={seed}', cwd=str(tmp_path))
        line = error_line(result, 2)
        assert line == f'pix2pix-{command}: --seed is {seed}: it must be 0 or more and below 2**31'
    assert os.listdir(str(tmp_path)) == []


def test_an_export_can_be_larger_than_the_training(trained, tmp_path):
    data, out = tmp_path / 'val', str(tmp_path / 'out')
    write_pair(data / '1.png', width=1024, height=512)
    shutil.copytree(trained, out)
    flags = [f'--data={data}', f'--out={out}', '--crop_size=512']
    result = run_command('export', *flags)
    assert (result.returncode, result.stderr) == (0, '')
    images = contents(out + '/images')
    assert set(images) == {f'1-{kind}.png' for kind in ('inputs', 'outputs', 'targets')}
    with Image.open(str(data / '1.png')) as image:
        pair = np.array(image)
    for kind, half in (('inputs', pair[:, 512:]), ('targets', pair[:, :512]), ('outputs', None)):
        with Image.open(f'{out}/images/1-{kind}.png') as image:
            assert image.size == (512, 512)
            assert half is None or np.array_equal(np.array(image), half)
    assert error_line(run_command('export', *flags[:2], '--crop_size=500'), 2).startswith(
        'pix2pix-export: --crop_size is 500: it must be a multiple of 256'
    )


def test_validation_alone_can_be_plotted(pairs, tmp_path):
    out = str(tmp_path)
    quiet = replace(WATCHED, summary_freq=0, display_freq=0, histogram_freq=0, trace_freq=0)
    training.train(pairs, out, replace(quiet, max_steps=2), val_data=pairs)
    [row] = csv_log.load(out)
    assert set(row) == {'step', 'seconds', *csv_log.VALIDATION}
    result = run_command('plot', f'--out={out}')
    assert (result.returncode, result.stderr) == (0, '')
    with Image.open(os.path.join(out, plot.FILENAME)) as image:
        assert image.size == (1000, 320)  # one row of panels instead of two
