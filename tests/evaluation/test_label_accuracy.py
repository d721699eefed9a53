"""Label accuracy: by hand, of equal and unequal label maps, and by chance."""

import json

import numpy as np
import pytest

from pix2pix_tf.evaluation import label_accuracy
from pix2pix_tf.evaluation.label_accuracy import ConfusionCounter, accuracy, nearest
from pix2pix_tf.evaluation.report import check_replaceable, format_table, report_on, save_report
from pix2pix_tf.pairs import draw, palette
from pix2pix_tf.pairs.palette import Color
from pix2pix_tf.system.errors import UsageError

RGB = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)], np.uint8)
COLORS = palette.named([tuple(map(int, color)) for color in RGB])
EACH = [np.arange(4)[None]]  # every image once


def painted(labels):
    return RGB[np.array(labels)]


def measure(outputs, targets, colors=COLORS, draws=EACH):
    counter = ConfusionCounter(colors)
    per_pixel = [counter.add(output, target) for output, target in zip(outputs, targets)]
    return per_pixel, accuracy(counter.confusion(), iter(draws))


@pytest.fixture(scope='module')
def facades():
    """Four label maps, and the colors in them."""
    rng = np.random.RandomState(1)
    maps = [draw.draw_labels(draw.draw_plan(rng)) for _ in range(4)]
    rgb = np.unique(np.concatenate(maps).reshape(-1, 3), axis=0)
    return maps, rgb, palette.named([tuple(map(int, color)) for color in rgb])


def test_every_pixel_has_the_nearest_color_and_of_two_the_first():
    rng = np.random.RandomState(1)
    pixels, colors = (rng.randint(0, 256, (n, 3)).astype(np.uint8) for n in (5000, 9))
    squares = np.square(pixels[:, None].astype(int) - colors.astype(int)).sum(axis=2)
    assert nearest(pixels, colors).tolist() == squares.argmin(axis=1).tolist()
    gray = np.array([[100, 100, 100]], np.uint8)
    around = np.array([(90, 100, 100), (100, 110, 100), (100, 100, 99)], np.uint8)
    assert nearest(gray, around).tolist() == [2]
    assert nearest(gray, around[:2]).tolist() == [0]
    assert nearest(gray, around[1::-1]).tolist() == [0]


def test_the_figures_are_those_of_a_calculation_by_hand():
    """Blue is in no target: it counts as an error where it stands, but has no accuracy."""
    outputs = [painted([[0, 0, 2], [1, 1, 1]]), painted([[0, 3, 3], [3, 3, 3]])]
    targets = [painted([[0, 0, 0], [1, 1, 0]]), painted([[0, 0, 3], [3, 3, 3]])]
    both = [np.array([[0, 1], [0, 0], [1, 1]])]
    per_pixel, found = measure(outputs, targets, draws=both)
    assert per_pixel == [4 / 6, 5 / 6]
    assert found.confusion.matrix.tolist() == [[3, 1, 1, 1], [0, 2, 0, 0], [0] * 4, [0, 0, 0, 4]]
    shares, accuracies, ious = (
        [row[key] for row in found.classes] for key in ('share', 'accuracy', 'IoU')
    )
    assert shares == [6 / 12, 2 / 12, 0, 4 / 12]
    assert accuracies == [3 / 6, 2 / 2, None, 4 / 4]
    assert ious == [3 / 6, 2 / 3, None, 4 / 5]
    per_class, iou = found.figures['per-class'], found.figures['class IoU']
    assert per_class.value == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert iou.value == pytest.approx((1 / 2 + 2 / 3 + 4 / 5) / 3)
    # The first image has no white: in a draw of it alone, the mean is of the two others
    alone = [(2 / 4 + 1) / 2, (1 / 2 + 1) / 2]
    low, high = np.percentile([per_class.value, *alone], [2.5, 97.5])
    assert (per_class.low, per_class.high) == pytest.approx((low, high))


def test_label_maps_match_themselves_and_others_less(facades):
    maps, _, colors = facades
    per_pixel, found = measure(maps, maps, colors)
    assert per_pixel == [1.0] * 4
    assert [tuple(figure) for figure in found.figures.values()] == [(1, 1, 1)] * 2
    others, found_of_others = measure(maps[1:] + maps[:1], maps, colors)
    assert 0.1 < np.mean(others) < 0.9
    for name, figure in found_of_others.figures.items():
        assert figure.high < 0.9 * found.figures[name].low


def test_a_permuted_palette_gives_the_accuracy_of_chance(facades):
    """Every pixel is right in one of all cyclic permutations; so is noise, nearly."""
    maps, rgb, colors = facades
    figures = []
    for shift in range(len(rgb)):
        outputs = [np.roll(rgb, shift, axis=0)[nearest(m.reshape(-1, 3), rgb)] for m in maps]
        per_pixel, found = measure(outputs, maps, colors)
        figures.append((np.mean(per_pixel), found.figures['per-class'].value))
    assert figures[0] == (1, 1) and figures[1] == (0, 0)
    assert np.mean(figures, axis=0) == pytest.approx([1 / len(rgb)] * 2)
    rng = np.random.RandomState(2)
    noise = [rgb[rng.randint(0, len(rgb), m.shape[:2])] for m in maps]
    per_pixel, found = measure(noise, maps, colors)
    assert np.mean(per_pixel) == pytest.approx(1 / len(rgb), abs=0.005)
    assert found.figures['per-class'].value == pytest.approx(1 / len(rgb), abs=0.02)


def test_the_result_does_not_depend_on_the_pixels_at_a_time(facades, monkeypatch):
    maps, _, colors = facades
    whole = measure(maps[1:], maps[:-1], colors, [np.arange(3)[None]])
    monkeypatch.setattr(label_accuracy, '_CHUNK', 1001)
    parts = measure(maps[1:], maps[:-1], colors, [np.arange(3)[None]])
    assert whole[0] == parts[0] and whole[1].figures == parts[1].figures
    assert (whole[1].confusion.matrix == parts[1].confusion.matrix).all()


@pytest.mark.parametrize('channels, kind', [(1, np.uint8), (6, np.uint8), (3, np.uint16)])
def test_images_other_than_rgb_have_no_labels(channels, kind):
    image = np.zeros((4, 4, channels), kind)
    with pytest.raises(UsageError, match='`labels` needs outputs that are one RGB image'):
        ConfusionCounter(COLORS).add(image, image)


def test_a_report_has_the_figures_of_the_set_and_a_line_for_each_label(tmp_path):
    counter = ConfusionCounter([Color('#ff0000', 'red'), Color('#00ff00', 'wall of moss')])
    rows = []
    for green in (0, 1):
        share = counter.add(painted([[0, 1, 1]]), painted([[0, 0, green]]))
        rows.append({'name': str(green), 'L1': 0.5, 'per-pixel': share})
    report = report_on({}, rows, {}, counter.confusion())
    assert format_table(report).splitlines()[2:] == [
        'per-pixel     0.5000    0.1667   0.3333 to 0.6667',
        'per-class     0.7000             0.3333 to 0.7500',
        'class IoU     0.3250             0.3250 to 0.5000',
        '',
        'label              share  accuracy       IoU',
        'red               0.8333    0.4000    0.4000',
        'wall of moss      0.1667    1.0000    0.2500',
    ]
    save_report(report, str(tmp_path))
    labels = json.loads((tmp_path / 'metrics.json').read_text())['labels']
    assert labels['confusion'] == [[2, 3], [0, 1]]
    assert labels['per-class']['value'] == pytest.approx(0.7)
    check_replaceable(str(tmp_path))
    save_report(report_on({}, rows, {}), str(tmp_path))
    assert 'labels' not in json.loads((tmp_path / 'metrics.json').read_text())
    check_replaceable(str(tmp_path))
