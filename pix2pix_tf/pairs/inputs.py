"""Inputs that are computed from a photo, such as edges or a blurred copy.

Each kind is a function: RGB image => RGB image of the same size.
"""

import types
from typing import NamedTuple, Optional

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from pix2pix_tf.system.errors import Pix2PixError, how_to_install

_LEAST_EDGE = 40  # strength of the gradient, of 2040; what is weaker is noise


class Parameters(NamedTuple):
    """The parameters of the kinds of input; each kind reads its own."""

    edge_blur: float = 1.4  # standard deviation in pixels, before edges are sought
    edge_low: Optional[float] = None  # Canny's thresholds; None: by the photo
    edge_high: Optional[float] = None
    blur: float = 4.0  # standard deviation in pixels
    factor: int = 4  # by which 'downscale' makes the sides smaller
    masked: float = 0.25  # share of the area
    colors: int = 8  # of 'posterize'


def load_opencv() -> types.ModuleType:
    """The module cv2, on one thread: there is a process for each core.

    Raises:
        Pix2PixError: it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise Pix2PixError(f'OpenCV is missing ({error}): {how_to_install("pairs")}') from error
    cv2.setNumThreads(1)
    return cv2


def edges(photo: Image.Image, parameters: Parameters, rng: np.random.RandomState) -> Image.Image:
    """Black lines on white, by Canny's method.

    Where it is not given, the upper threshold is Otsu's of the strength of the gradient, and the
    lower one is 0.4 times that.
    """
    cv2 = load_opencv()
    gray = np.asarray(photo.convert('L'))
    if parameters.edge_blur:
        gray = cv2.GaussianBlur(gray, (0, 0), parameters.edge_blur)
    across, down = (cv2.Sobel(gray, cv2.CV_16S, *order) for order in ((1, 0), (0, 1)))
    high = parameters.edge_high
    if high is None:
        # The strength is at most 2040; Otsu's method takes 8 bits
        strength = cv2.convertScaleAbs(cv2.absdiff(across, 0), alpha=1 / 8)
        strength = cv2.add(strength, cv2.convertScaleAbs(down, alpha=1 / 8))
        high = max(8 * cv2.threshold(strength, 0, 255, cv2.THRESH_OTSU)[0], _LEAST_EDGE)
    low = 0.4 * high if parameters.edge_low is None else parameters.edge_low
    return Image.fromarray(255 - cv2.Canny(across, down, low, high)).convert('RGB')


def gray(photo: Image.Image, parameters: Parameters, rng: np.random.RandomState) -> Image.Image:
    """Without colors: the network learns to color."""
    return photo.convert('L').convert('RGB')


def blur(photo: Image.Image, parameters: Parameters, rng: np.random.RandomState) -> Image.Image:
    """Blurred: the network learns to sharpen."""
    return photo.filter(ImageFilter.GaussianBlur(parameters.blur))


def downscale(
    photo: Image.Image, parameters: Parameters, rng: np.random.RandomState
) -> Image.Image:
    """Scaled down and up again: the network learns to add detail."""
    small = tuple(max(1, side // parameters.factor) for side in photo.size)
    return photo.resize(small, Image.BOX).resize(photo.size, Image.BICUBIC)


def mask(photo: Image.Image, parameters: Parameters, rng: np.random.RandomState) -> Image.Image:
    """White rectangles hide a share of the photo: the network learns to fill them."""
    hidden = Image.new('L', photo.size)
    draw = ImageDraw.Draw(hidden)
    width, height = photo.size
    while np.asarray(hidden).mean() < 255 * parameters.masked:
        across, down = (rng.uniform(0.1, 0.3, 2) * photo.size).astype(int) + 1
        left, top = rng.randint(width - across + 1), rng.randint(height - down + 1)
        draw.rectangle([left, top, left + across - 1, top + down - 1], fill=255)
    return Image.composite(Image.new('RGB', photo.size, 'white'), photo, hidden)


def posterize(
    photo: Image.Image, parameters: Parameters, rng: np.random.RandomState
) -> Image.Image:
    """Flat areas of a few colors: the network learns to add shading and texture."""
    cv2 = load_opencv()
    smooth = Image.fromarray(cv2.medianBlur(np.asarray(photo), 5))
    small = smooth.copy()
    small.thumbnail((128, 128))  # the search for colors is slow, their use is not
    palette = small.quantize(parameters.colors, dither=0)
    return smooth.quantize(palette=palette, dither=0).convert('RGB')


KINDS = {
    'edges': edges,
    'gray': gray,
    'blur': blur,
    'downscale': downscale,
    'mask': mask,
    'posterize': posterize,
}


def current_name(kind: str) -> str:
    """The key in KINDS for `kind`, which may be the name of an older version."""
    return {'grey': 'gray'}.get(kind, kind)
