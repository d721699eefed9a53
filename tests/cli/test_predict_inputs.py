"""The input that `pix2pix-predict` takes: a file, half of a pair, or computed from a photo."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.helpers import SMALL, error_line, run_command
from support.photos import write_photo

from pix2pix_tf import training
from pix2pix_tf.pairs import draw, halves


@pytest.fixture(scope='module')
def of_labels(tmp_path_factory, graph_mode):
    """A folder with a model of drawn facades in out/, and its pairs in train/."""
    folder = tmp_path_factory.mktemp('labels')
    draw.write_pairs(str(folder / 'train'), 8, seed=1)
    training.train(str(folder / 'train'), str(folder / 'out'), replace(SMALL, max_steps=1))
    return folder


@pytest.fixture(scope='module')
def of_edges(tmp_path_factory, graph_mode):
    """The same of photos and their edges; the photos are in photos/."""
    folder = tmp_path_factory.mktemp('edges')
    for number in range(4):
        write_photo(folder / 'photos' / f'{number}.png', number, (96, 80))
    flags = [f'--photos={folder}/photos', f'--to={folder}/train', '--size=64', '--format=png']
    assert run_command('pairs', 'make', *flags, '--processes=1').returncode == 0
    training.train(str(folder / 'train'), str(folder / 'out'), replace(SMALL, max_steps=1))
    return folder


def predict(folder, path, to, *flags):
    common = [f'--model={folder}/out', f'--to={to}', '--seed=1']
    return run_command('predict', *common, *flags, path)


def test_the_input_half_of_a_pair_is_taken_and_named(of_labels, tmp_path):
    pair = sorted((of_labels / 'train').iterdir())[0]
    result = predict(of_labels, pair, tmp_path / 'of_pair')
    assert (result.returncode, result.stderr) == (0, '')
    assert f'{of_labels}/out was trained on label maps' in result.stdout
    assert f'{pair} is a pair: its right half is the input' in result.stdout
    with Image.open(str(pair)) as image:
        halves.cut(image.convert('RGB'))[1].save(str(tmp_path / 'half.png'))
    result = predict(of_labels, tmp_path / 'half.png', tmp_path / 'of_half')
    assert 'is a pair' not in result.stdout and 'does not look' not in result.stdout
    outputs = [
        np.asarray(Image.open(str(path)), int)
        for path in (tmp_path / 'of_pair' / f'{pair.stem}.png', tmp_path / 'of_half' / 'half.png')
    ]
    assert np.abs(outputs[0] - outputs[1]).mean() < 2  # the decoders of JPEG differ


def test_a_photo_is_no_label_map(of_labels, tmp_path):
    write_photo(tmp_path / 'photo.png', 3, (64, 64))
    result = predict(of_labels, tmp_path / 'photo.png', tmp_path / 'to')
    assert result.returncode == 0
    words = 'photo.png does not look like the label maps that the model was trained on'
    assert words in result.stdout and '--input=auto' not in result.stdout
    line = error_line(
        predict(of_labels, tmp_path / 'photo.png', tmp_path / 'other', '--input=auto'), 2
    )
    assert '--input=auto requires a model of pairs' in line and 'is not one' in line


def test_the_input_of_a_photo_is_computed_as_for_the_training(of_edges, tmp_path):
    photo = of_edges / 'photos' / '2.png'
    assert 'compute it with --input=auto' in predict(of_edges, photo, tmp_path / 'no').stdout
    result = predict(of_edges, photo, tmp_path / 'photo', '--input=auto')
    assert (result.returncode, result.stderr) == (0, '')
    [pair] = (of_edges / 'train').glob('**/2.png')
    with Image.open(str(pair)) as image:
        halves.cut(image.convert('RGB'))[1].save(str(tmp_path / '2.png'))
    predict(of_edges, tmp_path / '2.png', tmp_path / 'half')
    computed, given = (tmp_path / name / '2.png' for name in ('photo', 'half'))
    assert computed.read_bytes() == given.read_bytes()
