"""Pairs of two folders or of the layouts of other projects; pairs taken apart and swapped."""

import numpy as np
import pytest
from PIL import Image
from support.helpers import error_line, write_pair
from support.photos import pair_of, run_pairs, tree, write_labels, write_photo

from pix2pix_tf.pairs import match


def test_files_without_a_partner_or_with_another_aspect_are_listed(two_folders, tmp_path):
    write_photo(tmp_path / 'a' / 'alone.jpg')
    write_labels(tmp_path / 'b' / 'widow_label.png')
    write_labels(tmp_path / 'b' / 'other.png')
    write_photo(tmp_path / 'a' / 'wide.jpg', size=(64, 32))
    write_labels(tmp_path / 'b' / 'wide_label.png')
    (tmp_path / 'a' / 'bad.jpg').write_bytes(b'no image')
    write_labels(tmp_path / 'b' / 'bad_label.png')
    for name in ('two.jpg', 'two.png'):
        write_photo(tmp_path / 'a' / name)
    write_labels(tmp_path / 'b' / 'two_label.png')
    to = tmp_path / 'to'
    result = run_pairs('combine', *two_folders, f'--to={to}')
    line = error_line(result, 1)
    assert line.startswith('pix2pix-pairs: 8 files, as named above, cannot be used')
    assert '--partial' in line and not to.exists()
    a, b = tmp_path / 'a', tmp_path / 'b'
    for words in (
        f'{a}/alone.jpg has no partner in {b}',
        f'{b}/widow_label.png has no partner in {a}',
        f'{b}/other.png has a name that does not match {{stem}}_label',
        f'{a}/wide.jpg has 64x32 pixels, another aspect than the 48x32 of {b}/wide_label.png',
        f'{a}/bad.jpg cannot be read as an image (unknown format)',
        f'{a}/two.jpg is one of 2 files of this name',
        f'{b}/two_label.png has 2 partners in {a}',
    ):
        assert words in result.stdout.splitlines()
    result = run_pairs('combine', *two_folders, f'--to={to}', '--partial')
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout.count('left out: ') == 8 and 'made 3 pairs' in result.stdout


def test_pairs_taken_apart_combine_to_themselves(tmp_path):
    for part in ('train', 'val'):
        for number in range(3):
            write_pair(tmp_path / 'data' / part / f'{number}.jpg', number)
    apart, again = tmp_path / 'apart', tmp_path / 'again'
    assert run_pairs('split', tmp_path / 'data', f'--to={apart}').returncode == 0
    assert len(tree(apart)) == 13 and (apart / 'A' / 'train' / '2.png').exists()
    flags = [f'--a={apart}/A', f'--b={apart}/B', f'--to={again}']
    assert run_pairs('combine', *flags).returncode == 0
    for path in tree(tmp_path / 'data'):
        for one, other in zip(pair_of(tmp_path / 'data' / path), pair_of(again / path)):
            assert np.abs(one - other).max() <= 16 and np.abs(one - other).mean() < 1.5
    swapped = tmp_path / 'swapped'
    result = run_pairs('swap', again, f'--to={swapped}')
    assert result.returncode == 0 and 'left out' not in result.stdout  # pairs.json is ours
    for one, other in zip(pair_of(again / 'val/1.jpg'), pair_of(swapped / 'val/1.jpg')[::-1]):
        assert np.abs(one - other).max() <= 16


@pytest.mark.parametrize('layout', ['{part}{side}', '{side}/{part}', '{part}/{side}'])
def test_layouts_of_other_projects_are_read(tmp_path, layout):
    for part, count in (('train', 2), ('test', 1)):
        for number in range(count):
            for side in 'AB':
                name = layout.format(part=part, side=side)
                write_photo(tmp_path / 'data' / name / f'{number}.png', number + 5 * (side == 'B'))
    result = run_pairs('import', tmp_path / 'data', f'--to={tmp_path}/to')
    assert (result.returncode, result.stderr) == (0, '')
    assert 'there is no val/, which exports read' in result.stdout
    assert sorted(tree(tmp_path / 'to')) == [
        'pairs.json',
        'train/0.jpg',
        'train/1.jpg',
        'val/0.jpg',
    ]
    a, b = pair_of(tmp_path / 'to' / 'train' / '1.jpg')
    source = tmp_path / 'data' / layout.format(part='train', side='B') / '1.png'
    with Image.open(str(source)) as image:
        assert np.abs(np.array(image) - b).mean() < 4 < np.abs(np.array(image) - a).mean()


def test_panels_are_chosen_and_ordered(tmp_path):
    panels = [np.full((8, 10, 3), value, np.uint8) for value in (10, 100, 200)]
    (tmp_path / 'data').mkdir()
    Image.fromarray(np.concatenate(panels, axis=1)).save(str(tmp_path / 'data' / '1.png'))
    result = run_pairs('import', tmp_path / 'data', f'--to={tmp_path}/to', '--panels=b,-,a')
    assert (result.returncode, result.stderr) == (0, '')
    a, b = pair_of(tmp_path / 'to' / '1.png')
    assert (a.min(), a.max(), b.min(), b.max()) == (200, 200, 10, 10)
    line = error_line(run_pairs('import', tmp_path / 'data', f'--to={tmp_path}/x'), 1)
    assert 'has neither trainA/ and trainB/' in line and '--panels' in line


def test_both_names_may_have_a_pattern(tmp_path):
    write_photo(tmp_path / 'a' / '1_photo.jpg')
    write_photo(tmp_path / 'b' / '1_map.jpg')
    found = match.match_names(str(tmp_path / 'a'), str(tmp_path / 'b'), '{stem}_photo,{stem}_map')
    assert [one.key for one in found.pairs] == ['1'] and not found.left_out
