"""What the page offers, from folders as people have them."""

import shutil

import pytest
from PIL import Image
from support.helpers import write_cut_off, write_pair

from pix2pix_tf.inference.trained import find
from pix2pix_tf.serve import canvas, palette
from pix2pix_tf.system.errors import DataError


@pytest.fixture
def photos(tmp_path):
    """A folder of files that are no pairs: one has an odd width, the pixels of one end early."""
    folder = tmp_path / 'photos'
    folder.mkdir()
    Image.new('RGB', (33, 32)).save(str(folder / '1.png'))
    write_cut_off(folder / '2.png')
    return folder


def test_damaged_files_are_left_out(source, photos):
    write_pair(photos / '3.png', seed=3)
    drawn = canvas.prepare(source, str(photos))
    assert len(drawn.examples) == 1 and drawn.palette != palette.PLAIN


def test_a_folder_without_pairs_is_refused_if_it_was_asked_for(source, photos):
    with pytest.raises(DataError, match=f'none of the files in {photos} is a pair'):
        canvas.prepare(source, str(photos))


@pytest.mark.parametrize('is_there', [True, False])
def test_without_the_pairs_of_its_training_a_model_is_served_with_plain_colors(
    trained, pairs, photos, tmp_path, is_there
):
    shutil.copytree(trained, str(tmp_path / 'out'))
    path = tmp_path / 'out' / 'options.json'
    assert pairs in path.read_text()
    path.write_text(path.read_text().replace(pairs, str(photos if is_there else tmp_path / 'gone')))
    drawn = canvas.prepare(find(str(tmp_path / 'out')))
    assert (drawn.palette, drawn.examples) == (palette.PLAIN, [])
