"""Whether the pairs of a dataset may be mirrored."""

import json

import numpy as np
import pytest
from support.encoding import encoded
from support.helpers import run_command, write_pair

from pix2pix_tf.pairs import sides


def wedges(same_way, half=0, count=sides.FEWEST):
    """Small pairs of a flat half, and a half with a wedge of random size and color.

    All wedges point to the left, or every second one to the right if not `same_way`.
    """
    rng = np.random.RandomState(1)
    pairs = []
    for number in range(count):
        halves = np.full((2, 64, 64, 3), 255, np.uint8)
        halves[1 - half] = rng.randint(0, 256, 3)
        color, height = rng.randint(0, 200, 3), rng.randint(20, 60)
        for row in range(64 - height, 64):
            halves[half, row, 64 - row : 60] = color
        if not same_way and number % 2:
            halves = halves[:, :, ::-1]
        pairs.append(encoded(np.concatenate(halves, axis=1)))
    return pairs


@pytest.mark.parametrize('half', [0, 1])
def test_pairs_that_point_the_same_way_have_sides(half):
    pairs = wedges(same_way=True, half=half)
    assert sides.asymmetry(pairs) > 0.5
    line = sides.describe('data/shoes', pairs)
    assert line.startswith('train without `flip`: left and right differ in the same way')


def test_pairs_that_point_either_way_have_none():
    pairs = wedges(same_way=False)
    assert abs(sides.asymmetry(pairs)) < 0.02
    assert sides.describe('data/shoes', pairs).startswith('`flip` fits, as left and right differ')


def test_flat_pairs_have_none():
    flat = encoded(np.zeros((64, 128, 3), np.uint8))
    assert sides.asymmetry([flat] * 3) == 0.0


def test_few_pairs_and_known_datasets_get_advice():
    few = wedges(same_way=True, count=sides.FEWEST - 1)
    assert 'sides cannot be measured' in sides.describe('data/shoes', few)
    for folder in ('data/edges2shoes', 'data/edges2shoes/train'):
        assert 'all point the same way' in sides.describe(folder, wedges(same_way=False))


def test_the_check_says_whether_pairs_may_be_mirrored(tmp_path):
    for number in range(3):
        write_pair(tmp_path / 'cityscapes' / 'train' / f'{number}.png', number)
    flags = [f'--out={tmp_path}/out', '--processes=1']
    result = run_command('pairs', 'check', tmp_path / 'cityscapes', *flags)
    line = result.stdout.splitlines()[-2]
    assert line.startswith('train without --flip: mirrored pairs would show traffic on the left')
    report = json.loads((tmp_path / 'out' / 'check.json').read_text())
    assert report['flip'] == line.replace('--flip', '`flip`')
    assert report['flip'] in (tmp_path / 'out' / 'check.html').read_text()
