"""The halves of a pair: their size, and label maps, whose colors stay exact."""

import numpy as np
import pytest
from PIL import Image
from support.photos import LABELS, pair_of, run_pairs, tree, write_labels, write_photo

from pix2pix_tf.pairs import halves


def test_label_maps_keep_their_colors(two_folders, tmp_path):
    labels = write_labels(tmp_path / 'labels.png')
    for size in (48, 96, 30):
        to = tmp_path / str(size)
        flags = [] if size == 48 else [f'--size={size}', '--resize=stretch']
        result = run_pairs('combine', *two_folders, f'--to={to}', *flags)
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
    run_pairs('combine', *flags, f'--to={tmp_path}/labels', '--labels=b')
    run_pairs('combine', *flags, f'--to={tmp_path}/photos', '--format=png')
    with Image.open(str(tmp_path / 'b' / '1.png')) as image:
        colors = set(map(tuple, np.array(image).reshape(-1, 3)))
    for name, exact in (('labels', True), ('photos', False)):
        _, right = pair_of(tmp_path / name / '1.png')
        assert (set(map(tuple, right.reshape(-1, 3))) <= colors) == exact


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


def test_a_pair_is_cut_where_it_was_joined():
    a, b = Image.new('RGB', (5, 3), 'red'), Image.new('RGB', (5, 3), 'blue')
    pair = halves.side_by_side(a, b)
    assert pair.size == (10, 3)
    assert [half.tobytes() for half in halves.cut(pair)] == [a.tobytes(), b.tobytes()]
    assert halves.colors_of(pair) == {(255, 0, 0): 0.5, (0, 0, 255): 0.5}
