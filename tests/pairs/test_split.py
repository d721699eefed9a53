"""The parts of a dataset: their shares, groups of files, and near-duplicates."""

import numpy as np
import pytest

from pix2pix_tf.pairs import split
from pix2pix_tf.system.errors import UsageError


def test_shares_are_kept_and_groups_stay_together():
    keys = {f'{scene}_{frame}': f'{scene}' for scene in range(40) for frame in range(5)}
    rng = np.random.RandomState(1)
    hashes = {key: rng.bytes(32) for key in keys}
    shares = split.parse_shares('train:0.8,val:0.1,test:0.1')
    parts = split.assign(keys, hashes, {}, shares, seed=1).parts
    counts = {part: list(parts.values()).count(part) for part in shares}
    assert counts == {'train': 160, 'val': 20, 'test': 20}
    assert all(len({parts[f'{scene}_{frame}'] for frame in range(5)}) == 1 for scene in range(40))
    assert parts != split.assign(keys, hashes, {}, shares, seed=2).parts
    backwards = dict(reversed(list(keys.items())))
    assert parts == split.assign(backwards, hashes, {}, shares, seed=1).parts


def test_near_duplicates_stay_together_and_a_pair_of_two_parts_is_named():
    rng = np.random.RandomState(1)
    hashes = {str(number): rng.bytes(32) for number in range(20)}
    hashes['20'] = bytes([hashes['7'][0] ^ 7]) + hashes['7'][1:]
    groups = {key: key for key in hashes}
    shares = split.parse_shares('train:0.5,val:0.5')
    parts = split.assign(groups, hashes, {}, shares, 3).parts
    assert parts['7'] == parts['20']
    known = {'7': 'train', '20': 'val'}
    hashes['21'], groups['21'] = hashes['7'], '21'
    assigned = split.assign(groups, hashes, known, shares, 3)
    assert assigned.torn == {'21': ['20', '7']} and '21' not in assigned.parts


@pytest.mark.parametrize('count', [2, 3, 5, 10])
def test_a_part_of_a_small_dataset_is_not_empty(count):
    keys = {str(number): str(number) for number in range(count)}
    hashes = {key: np.random.RandomState(int(key)).bytes(32) for key in keys}
    shares = split.parse_shares('train:0.9,val:0.1')
    parts = split.assign(keys, hashes, {}, shares, 0).parts
    assert list(parts.values()).count('val') == 1


def test_groups_come_from_names():
    assert split.group_of('x/12_3', '([0-9]+)_.*') == '12'
    assert split.group_of('x/a', '([0-9]+)_.*') == 'x/a'
    for pattern in ('(', 'a'):
        with pytest.raises(UsageError, match='group'):
            split.group_of('a', pattern)
    for text in ('train', 'train:0.5', 'train:0.5,train:0.5', 'train:1,', 'train:1.2,val:-0.2'):
        with pytest.raises(UsageError, match='split'):
            split.parse_shares(text)
