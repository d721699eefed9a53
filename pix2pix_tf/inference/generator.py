"""One trained generator: images in, images out.

An ONNX file runs in onnxruntime if that is installed, and TensorFlow is then not imported.
"""

import random
import threading
from typing import Any, Optional, Union

import numpy as np
from PIL import Image

from pix2pix_tf.config import SEED
from pix2pix_tf.inference import tiling
from pix2pix_tf.inference.trained import Trained, find, has_onnxruntime
from pix2pix_tf.pairs import panels, read
from pix2pix_tf.system.errors import CheckpointError, DataError, UsageError

FITS = ('scale', 'whole')

AnyImage = Union[np.ndarray, Image.Image]


def load(model: str, **changes: Any) -> 'Generator':
    """The generator `model`: the folder of a training, a checkpoint, our SavedModel or ONNX file,
    or the name of a generator in this package, such as 'facades'.

    `changes` are options that differ from the saved ones, such as crop_size='512x256'.

    Raises:
        CheckpointError: there is no model, or it does not fit.
        Pix2PixError: its options.json or a value in `changes` is invalid.
    """
    found = find(model, **changes)
    while True:
        try:
            return Generator(found)
        except CheckpointError:
            newest = find(model, **changes)
            if newest.checkpoint == found.checkpoint:
                raise
            found = newest  # a running training has replaced the one that was found


def random_seed() -> int:
    """A random seed for a `Generator`, from 0 to 2**31 - 1."""
    return random.SystemRandom().randrange(2**31)


def open_network(found: Trained) -> Any:
    """The network of `found`: an OnnxNetwork, or a TensorFlowNetwork with the same methods.

    Images of 16 bits are only read and written by TensorFlow.

    Raises:
        CheckpointError: its file is missing or damaged, or does not fit.
    """
    if found.is_onnx and has_onnxruntime() and found.config.bits == 8:
        from pix2pix_tf.inference.onnx_network import OnnxNetwork

        return OnnxNetwork(found)
    from pix2pix_tf.inference.tensorflow_network import TensorFlowNetwork

    return TensorFlowNetwork(found)


class Generator:
    """A trained generator with its own network; several threads may call it.

    The network is by default that of `open_network`. Use the generator as a context manager, or
    close it.
    """

    def __init__(self, found: Trained, network: Any = None) -> None:
        self.checkpoint, self.config, self.step = found.checkpoint, found.config, found.step
        # One tile at a time, and all of one size, so that the memory is enough
        self._tiling, self._tile = threading.Lock(), tiling.default_tile()
        self._network = open_network(found) if network is None else network

    def __enter__(self) -> 'Generator':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def has_noise(self) -> bool:
        """Whether outputs depend on a seed: the only noise is dropout."""
        return self.config.dropout > 0

    def close(self) -> None:
        """Frees the network."""
        self._network.close()

    def __call__(
        self,
        image: AnyImage,
        seed: Optional[int] = None,
        samples: int = 1,
        fit: str = 'scale',
        tile: Optional[int] = None,
    ) -> Any:
        """The output for `image`, of the same type: uint8 [height, width, 3], a batch
        [n, height, width, 3], or a PIL image.

        The channels of several panels come one after the other in an array, and the panels side by
        side in a PIL image. A model of 16 bits takes and returns uint16.

        `fit` 'scale' scales an image to the size of the training, which is the size of the result.
        'whole' keeps its size: it is padded by reflection to a multiple of 256 and, where a side is
        longer than `tile` pixels, computed in overlapping tiles. `tile` is a multiple of 256, by
        default as large as the free memory allowed when the generator was loaded.

        The noise depends on `seed` (by default that of `load`) and the pixels of the image; without
        a seed, it differs every time. With several `samples`, the result for an image has one more
        axis in front: [samples, height, width, 3], [n, samples, height, width, 3], or a list of PIL
        images.

        Raises:
            UsageError: an argument is invalid.
            Pix2PixError: there is too little memory.
        """
        seed = self.config.seed if seed is None else seed
        _check_image(image, self.config)
        _check(seed, samples, fit, tile)
        seed = random_seed() if seed is None else seed
        if isinstance(image, Image.Image):
            pixels = self._joined(self._pixels_of(image), 'the image')
            outputs = self._samples(pixels, seed, samples, fit, tile)
            results = [panels.picture(output, self.config.channels) for output in outputs]
            return results if samples > 1 else results[0]
        if image.ndim == 4:
            result = np.stack([self._samples(one, seed, samples, fit, tile) for one in image])
            return result if samples > 1 else result[:, 0]
        outputs = self._samples(image, seed, samples, fit, tile)
        return outputs if samples > 1 else outputs[0]

    def read(self, contents: bytes, name: str = 'the image') -> Image.Image:
        """The bytes of an image file => the image, upright and in RGB.

        TensorFlow's network also decodes JPEG files, so that the pixels are those of an export.

        Raises:
            DataError: it cannot be read; the message begins with `name`.
        """
        return read.read_image(contents, name, self._network.decode_jpeg)

    def read_input(self, contents: bytes, name: str = 'the image') -> np.ndarray:
        """The bytes of a file of the input panels, side by side => [height, width, input_channels].

        Its type is that of the model's values: 16 bits are read from PNG files, and from gray ones
        of other formats; those of 8 bits become 257 times that.

        Raises:
            DataError: it cannot be read, or has other panels; the message begins with `name`.
        """
        if self.config.bits == 16:
            pixels = self._read_16_bits(contents, name)
        else:
            pixels = self._pixels_of(self.read(contents, name))
        return self._joined(pixels, name)

    def _read_16_bits(self, contents, name):
        """[height, width, channels] uint16."""
        with read.opened(contents, name) as image:
            if image.format != 'PNG':
                is_gray = image.mode.startswith('I')
                with read.decoding(name):
                    image.load()
                return self._pixels_of(image if is_gray else self.read(contents, name))
            if read.orientation_of(image) != 1:
                raise DataError(f'{name} has an EXIF orientation: save it upright')
        try:
            return self._network.decode_16_bits(contents)
        except DataError as error:
            raise DataError(f'{name} {error}') from error

    def _pixels_of(self, image):
        """[height, width, channels] of a PIL image, whose panels are side by side."""
        config = self.config
        if config.bits == 16 and image.mode.startswith('I'):
            pixels = np.clip(np.asarray(image), 0, config.white).astype(np.uint16)
            return np.repeat(pixels[..., None], config.channels, axis=2)
        image = read.to_rgb(image)
        pixels = np.asarray(image if config.channels == 3 else image.convert('L'))
        return panels.to_bits(pixels.reshape((*pixels.shape[:2], config.channels)), config.bits)

    def _joined(self, pixels, name):
        """The panels of a file, one after the other in its channels."""
        number = self.config.input_panels
        if number == 1:
            return pixels
        height, width = pixels.shape[:2]
        high, wide = self.config.crop_size
        takes = f'the model takes files of {number} images side by side'
        if width % number:
            raise DataError(f'{name} is {width} pixels wide, which {number} do not divide: {takes}')
        if abs(width * high - height * wide) <= 0.02 * width * high:
            raise DataError(f'{name} has the shape of one image, {width}x{height} pixels: {takes}')
        return panels.joined(pixels, number)

    def encode(self, pixels: np.ndarray) -> bytes:
        """An output, uint8 [height, width, 3] => the bytes of a PNG file, as in an export."""
        return self._network.encode(pixels)

    def _samples(self, image, seed, samples, fit, tile):
        """[samples, height, width, output_channels]; `image` has input_channels."""
        results = []
        for number in range(samples):
            sample_seed = seed + (number << 31)  # as `noise.image_seeds` numbers the samples
            if fit == 'scale':
                results.append(self._network.run_scaled(image, sample_seed))
            else:
                side = self._tile if tile is None else tile
                with self._tiling:
                    run = self._network.run_tile
                    results.append(tiling.compute(run, image, sample_seed, side))
        return np.stack(results)


def _check_image(image, config):
    of_panels = f'[height, width, {config.input_channels}]'
    array = f'an array of {config.pixel_type} {of_panels} or [n, {of_panels[1:]}'
    if isinstance(image, Image.Image):
        if config.bits == 16 and config.channels == 3:
            raise UsageError(f'a PIL image has no RGB of 16 bits, as the model: give {array}')
        return
    shape = getattr(image, 'shape', None)
    is_type = getattr(image, 'dtype', None) == config.pixel_type
    if not (is_type and len(shape) in (3, 4) and all(shape) and shape[-1] == config.input_channels):
        raise UsageError(f'the image is {_describe(image)}: it must be a PIL image, or {array}')


def _check(seed, samples, fit, tile):
    if fit not in FITS:
        raise UsageError(f'`fit` is {fit}: it must be {" or ".join(FITS)}')
    if samples < 1:
        raise UsageError(f'`samples` is {samples}: it must be at least 1')
    if tile is not None and fit != 'whole':
        raise UsageError('`tile` requires `fit`=whole')
    if seed is not None and not (isinstance(seed, (int, np.integer)) and SEED.contains(seed)):
        raise UsageError(f'`seed` is {seed}: it must be {SEED.words}')


def _describe(image):
    shape = getattr(image, 'shape', None)
    return f'an array of {image.dtype} {list(shape)}' if shape is not None else repr(image)[:60]
