"""Drawn facades and their label maps."""

import os

import numpy as np
from PIL import Image
from support.helpers import contents, error_line, run_command

from pix2pix_tf.pairs import draw


def read(path):
    with open(str(path), 'rb') as file:
        return file.read()


def test_the_same_seed_draws_the_same_bytes(tmp_path):
    for folder, seed in (('a', 1), ('b', 1), ('c', 2)):
        draw.write_pairs(str(tmp_path / folder), 2, seed)
    for name in ('1.png', '2.png'):
        assert read(tmp_path / 'a' / name) == read(tmp_path / 'b' / name)
        assert read(tmp_path / 'a' / name) != read(tmp_path / 'c' / name)
    assert read(tmp_path / 'a' / '1.png') != read(tmp_path / 'a' / '2.png')


def means(image, boxes):
    """{label: mean color of `image` where the label map has it}."""
    labels = draw.draw_labels(boxes)
    masks = {name: (labels == color).all(2) for name, color in draw.LABELS.items()}
    return {name: image[mask].mean(0) for name, mask in masks.items() if mask.any()}


def plans(number):
    rng = np.random.RandomState(1)
    return [draw.draw_plan(rng) for _ in range(number)]


def test_images_follow_their_labels(tmp_path):
    draw.write_pairs(str(tmp_path), 5, 1)
    for number in range(1, 6):
        pair = np.array(Image.open(str(tmp_path / f'{number}.png')))
        assert pair.shape == (256, 512, 3)
        image, labels = pair[:, :256].astype(float), pair[:, 256:]
        colors = {tuple(color) for color in labels.reshape(-1, 3)}
        assert colors <= set(draw.LABELS.values())
        assert {draw.LABELS[n] for n in ('facade', 'window', 'door', 'cornice')} <= colors
        drawn = {name: c for name, c in draw.LABELS.items() if c in colors}
        mean = {name: image[(labels == c).all(2)].mean(0) for name, c in drawn.items()}
        assert mean['cornice'].sum() > mean['facade'].sum() + 40  # light stone
        assert mean['window'][2] > mean['window'][0]  # panes
        assert mean['background'].sum() > mean['window'].sum()  # the sky


def test_facades_have_several_walls_skies_and_doors():
    found = {'facade': [], 'background': [], 'door': []}
    for boxes in plans(60):
        mean = means(draw.draw_facade(boxes, np.random.RandomState(1)), boxes)
        for label, colors in found.items():
            if all(np.abs(mean[label] - color).max() > 15 for color in colors):
                colors.append(mean[label])
    assert len(found['facade']) >= 3
    assert len(found['door']) >= 3
    assert len(found['background']) >= 2


def test_a_wall_follows_from_the_labels_so_that_a_network_can_learn_it():
    for boxes in plans(10):
        once, again = (
            means(draw.draw_facade(boxes, np.random.RandomState(seed)), boxes) for seed in (1, 2)
        )
        for label in ('facade', 'door', 'window'):
            brightness = once[label].sum() / again[label].sum()
            np.testing.assert_allclose(once[label], again[label] * brightness, atol=2)


def test_the_command_makes_both_sets(tmp_path):
    result = run_command('demo', f'--root={tmp_path}', '--train_pairs=3', '--val_pairs=2')
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout == f'drew 3 pairs for training and 2 for validation in {tmp_path}\n'
    assert sorted(os.listdir(str(tmp_path / 'train'))) == ['1.png', '2.png', '3.png']
    assert sorted(os.listdir(str(tmp_path / 'val'))) == ['1.png', '2.png']
    assert read(tmp_path / 'train' / '1.png') != read(tmp_path / 'val' / '1.png')


def test_other_images_are_not_drawn_over(tmp_path):
    flags = [f'--root={tmp_path}', '--train_pairs=2', '--val_pairs=1']
    assert run_command('demo', *flags).returncode == 0
    drawn = contents(tmp_path / 'train')
    assert run_command('demo', *flags).returncode == 0
    assert contents(tmp_path / 'train') == drawn
    for data in (b'', drawn['1.png']):
        (tmp_path / 'train' / '2.png').write_bytes(data)
        line = error_line(run_command('demo', *flags), 2)
        assert f'{tmp_path}/train/2.png exists already and is another image' in line
        assert (tmp_path / 'train' / '2.png').read_bytes() == data
