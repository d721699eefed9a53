"""The palette and the examples of the page, from folders with and without pairs."""

import shutil

import pytest
from PIL import Image
from support.helpers import write_cut_off, write_pair

from pix2pix_tf.inference.trained import find
from pix2pix_tf.serve import canvas, palette
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
