"""Images of any kind, as upright RGB images; damaged files, and errors that are not theirs."""

import pickle

import numpy as np
import pytest
from PIL import Image, ImageCms
from support.encoding import encoded
from support.odd_files import with_png_size

from pix2pix_tf.pairs import read
from pix2pix_tf.system.errors import DataError


def test_images_are_upright_and_transparency_is_white(tmp_path):
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


def test_a_damaged_file_is_named_from_a_path_and_from_bytes(tmp_path):
    path = str(tmp_path / '1.png')
    whole = encoded(Image.new('RGB', (40, 40)))
    for contents, words in ((b'no image', 'unknown format'), (whole[:60], '')):
        (tmp_path / '1.png').write_bytes(contents)
        for source in (path, contents):
            with pytest.raises(read.Unreadable) as error, read.opened(
                source, path
            ) as image, read.decoding(path):
                image.load()
            assert str(error.value).startswith(f'{path} cannot be read as an image ({words}')
    missing = str(tmp_path / 'none.png')
    with pytest.raises(DataError, match='No such file or directory'), read.opened(missing, 'x'):
        pass


def test_too_many_pixels_have_an_error_that_survives_another_process():
    png = with_png_size(encoded(Image.new('RGB', (4, 4))), 60000, 60000)
    with pytest.raises(read.TooManyPixels) as error, read.opened(png, 'x.png'):
        pass
    again = pickle.loads(pickle.dumps(error.value))
    assert str(again) == str(error.value) == f'x.png {again.fault}'
    assert again.fault == 'has too many pixels to be read safely: scale it down'


def test_only_the_given_formats_are_opened():
    with pytest.raises(read.Unreadable), read.opened(
        encoded(Image.new('RGB', (4, 4))), 'x', ('JPEG',)
    ):
        pass


def test_an_error_of_the_block_is_not_an_error_of_the_image():
    contents = encoded(Image.new('RGB', (4, 4)))
    for error in (TypeError, OSError, KeyError):
        with pytest.raises(error), read.opened(contents, 'x'):
            raise error('a bug')

    def decode(_):
        raise TypeError('a bug')

    with pytest.raises(TypeError):
        read.read_image(encoded(Image.new('RGB', (4, 4)), 'JPEG'), 'x', decode)
