"""The measured programs that make pairs from photos: seconds per photo."""

import contextlib
import os
import tempfile

import numpy as np
from sessions import time_of


@contextlib.contextmanager
def pairs_ours(photos, processes):
    """The package's `pix2pix-pairs make`, without its start."""
    from pix2pix_tf.pairs import halves, make, match

    def run():
        with tempfile.TemporaryDirectory() as out:
            output = make.Output(os.path.join(out, 'pairs'), {}, processes=int(processes))
            found = match.find_photos(photos)
            made = make.make_pairs(found, halves.pair_of_photo, halves.PairOptions(), output)
            assert made.made == len(found.pairs), made.left_out

    yield lambda: time_of(run) / len(os.listdir(photos))


@contextlib.contextmanager
def pairs_loop(photos):
    """The same library calls in a loop, as a short script would make them."""
    import cv2
    from PIL import Image, ImageOps  # here: a Python that has PyTorch may lack it

    cv2.setNumThreads(1)

    def run():
        with tempfile.TemporaryDirectory() as out:
            for name in os.listdir(photos):
                photo = ImageOps.exif_transpose(Image.open(os.path.join(photos, name)))
                photo = photo.convert('RGB')
                gray = cv2.GaussianBlur(np.asarray(photo.convert('L')), (0, 0), 1.4)
                across, down = cv2.Sobel(gray, cv2.CV_16S, 1, 0), cv2.Sobel(gray, cv2.CV_16S, 0, 1)
                strength = [cv2.convertScaleAbs(one, alpha=1 / 8) for one in (across, down)]
                high = 8 * cv2.threshold(cv2.add(*strength), 0, 255, cv2.THRESH_OTSU)[0]
                edges = 255 - cv2.Canny(across, down, 0.4 * high, high)
                pair = Image.new('RGB', (2 * photo.width, photo.height))
                pair.paste(photo, (0, 0))
                pair.paste(Image.fromarray(edges), (photo.width, 0))
                pair.save(os.path.join(out, name), quality=95, subsampling=0)

    yield lambda: time_of(run) / len(os.listdir(photos))


PROGRAMS = (pairs_ours, pairs_loop)
