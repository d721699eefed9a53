"""Folders of photos, which the tests of pairs share."""

import pytest
from support.photos import write_labels, write_photo


@pytest.fixture
def photos(tmp_path):
    """A folder of 12 photos."""
    folder = tmp_path / 'photos'
    for number in range(12):
        write_photo(folder / f'{number}.jpg', number)
    return folder


@pytest.fixture
def two_folders(tmp_path):
    """The flags for a folder of photos and a folder of label maps for them."""
    for number in range(3):
        write_photo(tmp_path / 'a' / 'x' / f'{number}.jpg', number)
        write_labels(tmp_path / 'b' / 'x' / f'{number}_label.png')
    return [f'--a={tmp_path}/a', f'--b={tmp_path}/b', '--match={stem}_label']
