"""Pairs from two folders, pairs taken apart, swapped, imported, and divided into parts."""

import numpy as np
import pytest
from PIL import Image, ImageCms
from support.encoding import encoded
from support.helpers import error_line, run_command, write_pair
from support.photos import pair_of, tree, write_photo

from pix2pix_tf.pairs import halves, match, read, split
from pix2pix_tf.system.errors import UsageError

LABELS = np.array([[0, 0, 170], [0, 85, 255], [170, 255, 85]], np.uint8)


def write_labels(path, size=(48, 32)):
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = LABELS[np.random.RandomState(3).randint(0, 3, (size[1], size[0]))]
    Image.fromarray(labels).save(str(path))
    return labels


def pairs(command, *flags):
    return run_command('pairs', command, *flags, '--processes=1')


@pytest.fixture
def two_folders(tmp_path):
    """Folders of photos, with label maps for them."""
    for number in range(3):
        write_photo(tmp_path / 'a' / 'x' / f'{number}.jpg', number)
        write_labels(tmp_path / 'b' / 'x' / f'{number}_label.png')
    return [f'--a={tmp_path}/a', f'--b={tmp_path}/b', '--match={stem}_label']


def test_label_maps_keep_their_colors(two_folders, tmp_path):
    labels = write_labels(tmp_path / 'labels.png')
    for size in (48, 96, 30):
        to = tmp_path / str(size)
        flags = [] if size == 48 else [f'--size={size}', '--resize=stretch']
        result = pairs('combine', *two_folders, f'--to={to}', *flags)
        assert (result.returncode, result.stderr) == (0, '')
        assert sorted(tree(to)) == ['pairs.json', 'x/0.png', 'x/1.png', 'x/2.png']
        _, right = pair_of(to / 'x' / '1.png')
        assert set(map(tuple, right.reshape(-1, 3))) == set(map(tuple, LABELS.astype(int)))
        if size == 48:
            np.testing.assert_array_equal(right, labels)


def test_labels_that_are_named_are_scaled_without_blending(tmp_path):
    for number in range(2):
        write_photo(tmp_path / 'a' / f'{number}.png', number)
        write_photo(tmp_path / 'b' / f'{number}.png', 9, size=(96, 64))
    flags = [f'--a={tmp_path}/a', f'--b={tmp_path}/b']
    pairs('combine', *flags, f'--to={tmp_path}/labels', '--labels=b')
    pairs('combine', *flags, f'--to={tmp_path}/photos', '--format=png')
    with Image.open(str(tmp_path / 'b' / '1.png')) as image:
        colors = set(map(tuple, np.array(image).reshape(-1, 3)))
    for name, exact in (('labels', True), ('photos', False)):
        _, right = pair_of(tmp_path / name / '1.png')
        assert (set(map(tuple, right.reshape(-1, 3))) <= colors) == exact


def test_what_has_no_partner_or_another_aspect_is_listed(two_folders, tmp_path):
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
    result = pairs('combine', *two_folders, f'--to={to}')
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
    result = pairs('combine', *two_folders, f'--to={to}', '--partial')
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout.count('left out: ') == 8 and 'made 3 pairs' in result.stdout


def test_pairs_taken_apart_combine_to_themselves(tmp_path):
    for part in ('train', 'val'):
        for number in range(3):
            write_pair(tmp_path / 'data' / part / f'{number}.jpg', number)
    apart, again = tmp_path / 'apart', tmp_path / 'again'
    assert pairs('split', tmp_path / 'data', f'--to={apart}').returncode == 0
    assert len(tree(apart)) == 13 and (apart / 'A' / 'train' / '2.png').exists()
    flags = [f'--a={apart}/A', f'--b={apart}/B', f'--to={again}']
    assert pairs('combine', *flags).returncode == 0
    for path in tree(tmp_path / 'data'):
        for one, other in zip(pair_of(tmp_path / 'data' / path), pair_of(again / path)):
            assert np.abs(one - other).max() <= 16 and np.abs(one - other).mean() < 1.5
    swapped = tmp_path / 'swapped'
    result = pairs('swap', again, f'--to={swapped}')
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
    result = pairs('import', tmp_path / 'data', f'--to={tmp_path}/to')
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
    result = pairs('import', tmp_path / 'data', f'--to={tmp_path}/to', '--panels=b,-,a')
    assert (result.returncode, result.stderr) == (0, '')
    a, b = pair_of(tmp_path / 'to' / '1.png')
    assert (a.min(), a.max(), b.min(), b.max()) == (200, 200, 10, 10)
    line = error_line(pairs('import', tmp_path / 'data', f'--to={tmp_path}/x'), 1)
    assert 'has neither trainA/ and trainB/' in line and '--panels' in line


def test_an_image_is_read_as_people_see_it(tmp_path):
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 200
    path = tmp_path / '1.jpg'
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(str(path), exif=exif)
    image = read.read_image(path.read_bytes(), '1', srgb=True)
    assert image.size == (8, 16) and image.getpixel((4, 2))[0] > 150 > image.getpixel((4, 13))[0]
    alpha = Image.new('RGBA', (4, 4), (255, 0, 0, 0))
    assert read.read_image(encoded(alpha), '1').getpixel((0, 0)) == (255, 255, 255)


def test_a_color_profile_is_applied(tmp_path):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile('LAB')).tobytes()
    xyz = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    image = Image.new('RGB', (4, 4), (200, 100, 50))
    for profile in (xyz, lab, b'damaged'):
        image = read.read_image(encoded(image, icc_profile=profile), '1', srgb=True)
        assert image.getpixel((0, 0)) == (200, 100, 50)


@pytest.mark.parametrize(
    'resize, size',
    [('crop', (20, 20)), ('fit', (20, 10)), ('pad', (20, 20)), ('stretch', (20, 20))],
)
def test_each_way_to_resize(resize, size):
    image = Image.new('RGB', (60, 30), 'red')
    image.paste('blue', (0, 0, 10, 30))
    shaped = halves.resized(image, halves.Shape(20, resize, 'lime'), labels=True)
    assert shaped.size == size
    colors = {color for _, color in shaped.getcolors()}
    assert ((0, 255, 0) in colors) == (resize == 'pad')
    assert ((0, 0, 255) in colors) == (resize != 'crop')


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


def test_near_duplicates_stay_together_and_what_belongs_to_both_is_named():
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


def test_both_names_may_have_a_pattern(tmp_path):
    write_photo(tmp_path / 'a' / '1_photo.jpg')
    write_photo(tmp_path / 'b' / '1_map.jpg')
    found = match.match_names(str(tmp_path / 'a'), str(tmp_path / 'b'), '{stem}_photo,{stem}_map')
    assert [one.key for one in found.pairs] == ['1'] and not found.left_out
