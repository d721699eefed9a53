"""One trained generator: images in, images out."""

import dataclasses
import threading
from typing import Any, Dict, NamedTuple, Optional, Union

import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image

from pix2pix_tf import checkpoints, dataset, diagnosis, images, session
from pix2pix_tf.config import SEED, Size
from pix2pix_tf.inference import tiling
from pix2pix_tf.inference.noise import image_seeds, random_seed
from pix2pix_tf.inference.trained import Trained, find
from pix2pix_tf.model import build_generator
from pix2pix_tf.pairs import panels, read
from pix2pix_tf.system import compat
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import CheckpointError, DataError, UsageError

FITS = ('scale', 'whole')

AnyImage = Union[np.ndarray, Image.Image]


def load(model: str, **changes: Any) -> 'Generator':
    """The generator in `model`: the folder of a training, a checkpoint, or our SavedModel.

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


class Generator:
    """A trained generator with its own graph and session; several threads may call it.

    Use it as a context manager, or close it.
    """

    def __init__(self, found: Trained) -> None:
        self.checkpoint, self.config, self.step = found.checkpoint, found.config, found.step
        # One tile at a time, and all of one size, so that the memory is enough
        self._tiling, self._tile = threading.Lock(), tiling.default_tile()
        self._building = threading.Lock()
        self._by_size: Dict[Size, _Network] = {}
        session.prepare(self.config, print_line)
        self._graph = tf.Graph()
        self._session = tf.Session(graph=self._graph, config=session.session_config(self.config))
        try:
            with self._graph.as_default():
                tf.set_random_seed(0)  # no op draws by it, but deterministic ops require one
                output = [None, None, self.config.output_channels]
                self._pixels = tf.placeholder(self.config.pixel_type, output)
                self._png = images.encode_pngs(self._pixels[None], self.config)[0]
                self._contents = tf.placeholder(tf.string, [])
                self._decoded = dataset.decode_image(self._contents)
                if self.config.bits == 16:
                    self._decoded_16 = dataset.decode_image(self._contents, self.config)
                self._scaled = self._build((None, None), self.config.crop_size)
                saver = tf.train.Saver()
                variables = tf.global_variables()
            checkpoints.restore(saver, self._session, self.checkpoint, variables)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> 'Generator':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the session."""
        self._session.close()

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
            results = [self._picture(output) for output in outputs]
            return results if samples > 1 else results[0]
        if image.ndim == 4:
            result = np.stack([self._samples(one, seed, samples, fit, tile) for one in image])
            return result if samples > 1 else result[:, 0]
        outputs = self._samples(image, seed, samples, fit, tile)
        return outputs if samples > 1 else outputs[0]

    def read(self, contents: bytes, name: str = 'the image') -> Image.Image:
        """The bytes of an image file => the image, upright and in RGB.

        JPEG files are decoded by TensorFlow, so that the pixels are those of an export.

        Raises:
            DataError: it cannot be read; the message begins with `name`.
        """
        return read.read_image(contents, name, self._decode_jpeg)

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
            return self._decode(contents, self._decoded_16).astype(np.uint16)
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

    def _picture(self, output):
        """The panels of an output side by side in a PIL image."""
        pixels = panels.side_by_side(output, self.config.channels)
        return Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])

    def _decode_jpeg(self, contents):
        return self._decode(contents, self._decoded)

    def _decode(self, contents, decoded):
        try:
            return self._session.run(decoded, {self._contents: contents})
        except tf.errors.InvalidArgumentError as error:
            raise DataError(f'cannot be decoded ({compat.one_line(error)})') from error

    def encode(self, pixels: np.ndarray) -> bytes:
        """An output, uint8 [height, width, 3] => the bytes of a PNG file, as in an export."""
        return self._session.run(self._png, {self._pixels: pixels})

    def _samples(self, image, seed, samples, fit, tile):
        """[samples, height, width, output_channels]; `image` has input_channels."""
        results = []
        for number in range(samples):
            sample_seed = seed + (number << 31)  # as `noise.image_seeds` numbers the samples
            if fit == 'scale':
                results.append(self._run_scaled(image, sample_seed))
            else:
                side = self._tile if tile is None else tile
                with self._tiling:
                    results.append(tiling.compute(self._run_tile, image, sample_seed, side))
        return np.stack(results)

    def _run_scaled(self, image, seed):
        """[height, width, input_channels] => the output, [*crop_size, output_channels]."""
        feeds = {self._scaled.image: image, self._scaled.seed: seed}
        return self._run(self._scaled.output, feeds, '`crop_size`')

    def _run_tile(self, image, seed, noise):
        """(output, its noise) for an image with sides of multiples of 256: a `tiling.RunTile`."""
        network = self._of_size(*image.shape[:2])
        feeds = {network.image: image, network.seed: seed}
        if noise is not None:
            feeds[network.noise] = noise
        return self._run([network.output, network.noise], feeds, 'image or `tile`')

    def _run(self, fetches, feeds, smaller):
        try:
            return self._session.run(fetches, feeds)
        except tf.errors.OpError as error:
            diagnosis.raise_explained(error, [], smaller)

    def _of_size(self, height, width):
        """The network for images of that size, which is built when the first one comes."""
        size = height, width
        with self._building, self._graph.as_default():
            if size not in self._by_size:
                self._by_size[size] = self._build(size, size)
            return self._by_size[size]

    def _build(self, image_size, crop_size):
        """A network for images of `image_size`, scaled to `crop_size`; both are (height, width)."""
        channels = self.config.input_channels
        image = tf.placeholder(self.config.pixel_type, [*image_size, channels])
        seed = tf.placeholder(tf.int64, [])
        config = dataclasses.replace(self.config, crop_size=crop_size)
        inputs = dataset.process_image(image, None, config)[None]
        inputs.set_shape([1, *crop_size, channels])
        noise = tf.placeholder_with_default(image_seeds(inputs, seed), [1, 2])
        output = images.deprocess_image(build_generator(inputs, self.config, noise), self.config)
        return _Network(image, seed, noise, output[0])


class _Network(NamedTuple):
    """The tensors of the generator for one size."""

    image: tf.Tensor  # [height, width, input_channels] uint8 or uint16
    seed: tf.Tensor
    noise: tf.Tensor  # [1, 2] int64, the seeds of the dropout: from `seed`, unless it is fed
    output: tf.Tensor  # [height, width, output_channels] of the same type


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
