"""Panels, the images side by side in a file, as arrays.

In memory, the channels of panels come one after the other: [height, width, panels * channels], of
uint8 or, for values of 16 bits, uint16.
"""

from typing import Tuple

import numpy as np
from PIL import Image

Size = Tuple[int, int]  # (width, height) in pixels, as Pillow has it


def joined(pixels: np.ndarray, panels: int) -> np.ndarray:
    """[height, panels * width, channels], as in a file => [height, width, panels * channels]."""
    return np.concatenate(np.split(pixels, panels, axis=1), axis=2)


def side_by_side(pixels: np.ndarray, channels: int) -> np.ndarray:
    """[height, width, panels * channels] => [height, panels * width, channels], as in a file."""
    return np.concatenate(np.split(pixels, pixels.shape[2] // channels, axis=2), axis=1)


def picture(pixels: np.ndarray, channels: int) -> Image.Image:
    """Panels side by side in a PIL image, of mode RGB, L or, for gray of 16 bits, I;16."""
    pixels = side_by_side(pixels, channels)
    return Image.fromarray(pixels if channels == 3 else pixels[..., 0])


def as_rgb(pixels: np.ndarray) -> np.ndarray:
    """Gray or RGB images, [..., 1 or 3] => [..., 3] uint8; 16 bits lose their lower 8."""
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels


def to_bits(pixels: np.ndarray, bits: int) -> np.ndarray:
    """uint8 or uint16 => that of `bits`: 8 bits times 257, or 16 bits without their lower 8."""
    if bits == 16:
        return pixels if pixels.dtype == np.uint16 else pixels * np.uint16(257)
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)


def resized(pixels: np.ndarray, size: Size, method: int = Image.BICUBIC) -> np.ndarray:
    """[height, width, channels] in another size, of the same type.

    16 bits are scaled as floats, and rounded once.
    """
    if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        return np.asarray(Image.fromarray(pixels).resize(size, method))
    white = np.iinfo(pixels.dtype).max
    channels = [
        np.asarray(Image.fromarray(np.float32(pixels[..., one])).resize(size, method))
        for one in range(pixels.shape[2])
    ]
    return np.clip(np.round(np.stack(channels, axis=2)), 0, white).astype(pixels.dtype)
