"""The palette and the examples of the page, from folders with and without pairs."""

import dataclasses
import io
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from support.helpers import write_cut_off, write_pair

from pix2pix_tf.inference.trained import find
from pix2pix_tf.pairs import draw, halves, palette
from pix2pix_tf.serve import canvas
from pix2pix_tf.system.errors import DataError


@pytest.fixture
def photos(tmp_path):
    """A folder without pairs: one image has an odd width, another is cut off."""
    folder = tmp_path / 'photos'
    folder.mkdir()
    Image.new('RGB', (33, 32)).save(str(folder / '1.png'))
    write_cut_off(folder / '2.png')
    return folder


def test_damaged_files_are_left_out(source, photos):
    write_pair(photos / '3.png', seed=3)
    drawing = canvas.prepare(source, str(photos))
    assert len(drawing.examples) == 1 and drawing.palette != palette.PLAIN


def test_a_folder_without_pairs_is_an_error_if_it_was_given(source, photos):
    with pytest.raises(DataError, match=f'none of the files in {photos} is a pair'):
        canvas.prepare(source, str(photos))


@pytest.mark.parametrize('exists', [True, False])
def test_without_the_pairs_of_the_training_the_palette_is_plain(
    trained, pairs, photos, tmp_path, exists
):
    shutil.copytree(trained, str(tmp_path / 'out'))
    path = tmp_path / 'out' / 'options.json'
    assert pairs in path.read_text()
    path.write_text(path.read_text().replace(pairs, str(photos if exists else tmp_path / 'gone')))
    drawing = canvas.prepare(find(str(tmp_path / 'out')))
    assert (drawing.palette, drawing.examples) == (palette.PLAIN, [])


@pytest.mark.parametrize('named', ['private', 'a\0b', '/', None])
def test_a_folder_that_options_json_names_is_shown_only_if_it_has_the_files_of_the_training(
    trained, pairs, tmp_path, named, capsys
):
    private = tmp_path / 'private'
    write_pair(private / 'x.png', seed=9)
    out = tmp_path / 'out'
    shutil.copytree(trained, str(out))
    values = json.loads((out / 'options.json').read_text())
    values['data']['folder'] = str(private) if named == 'private' else named
    (out / 'options.json').write_text(json.dumps(values))
    drawing = canvas.prepare(find(str(out)))
    assert (drawing.palette, drawing.examples) == (palette.PLAIN, [])
    said = capsys.readouterr().out
    assert (f'{private} has other files than when' in said) == (named == 'private')
    assert canvas.prepare(find(str(out)), str(private)).examples
    copied = shutil.copytree(pairs, str(tmp_path / 'copied'))
    values['data']['folder'] = copied
    (out / 'options.json').write_text(json.dumps(values))
    assert len(canvas.prepare(find(str(out))).examples) == 5


def test_pairs_that_a_training_skipped_do_not_hide_the_others(trained, pairs, tmp_path):
    data, out = shutil.copytree(pairs, str(tmp_path / 'data')), tmp_path / 'out'
    Image.new('RGB', (33, 32)).save(data + '/odd.png')
    shutil.copytree(trained, str(out))
    written = (out / 'options.json').read_text()
    (out / 'options.json').write_text(written.replace(pairs, data))
    assert len(canvas.prepare(find(str(out))).examples) == 5


def test_pairs_of_16_bits_are_not_white(source, tmp_path):
    values = np.linspace(0, 65535, 64 * 128).astype(np.uint16).reshape(64, 128)
    Image.fromarray(values).save(str(tmp_path / '1.png'))
    [example] = canvas.prepare(source, str(tmp_path)).examples
    shown = np.asarray(Image.open(io.BytesIO(example)).resize((64, 64), Image.NEAREST))
    half = values[:, 64:] if source.config.direction == 'BtoA' else values[:, :64]
    assert np.abs(shown[..., 0].astype(int) - (half >> 8)).max() <= 8 and np.ptp(shown) > 200


@pytest.mark.parametrize('direction', ['BtoA', 'AtoB'])
def test_the_input_of_a_pair_is_one_half(source, tmp_path, direction):
    draw.write_pairs(str(tmp_path), 6, seed=1)
    config = dataclasses.replace(source.config, direction=direction)
    drawing = canvas.prepare(source._replace(config=config), str(tmp_path))
    [path] = [str(tmp_path / name) for name in sorted(os.listdir(str(tmp_path)))][:1]
    pair = Image.open(path).convert('RGB')
    a, b = halves.cut(pair)
    image, is_pair = drawing.input_of(pair)
    if direction == 'BtoA':  # the inputs are label maps
        assert is_pair and image.tobytes() == b.tobytes()
        assert drawing.input_half == 'right'
    else:
        assert not is_pair and image.size == pair.size and drawing.input_half == 'left'
    assert drawing.input_of(a) == (a, False)
