"""One trained generator: images in, images out."""

import dataclasses
import threading
import typing

import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image

from pix2pix_tf import checkpoints, dataset, diagnosis, images, session
from pix2pix_tf.config import SEED
from pix2pix_tf.inference import tiling
from pix2pix_tf.inference.noise import image_seeds, random_seed
from pix2pix_tf.inference.trained import Source, find_model
from pix2pix_tf.model import build_generator
from pix2pix_tf.pairs import read
from pix2pix_tf.system import compat
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import CheckpointError, DataError, UsageError

FITS = ('scale', 'whole')

AnyImage = typing.Union[np.ndarray, Image.Image]


def load(model: str, **changes: typing.Any) -> 'Generator':
    """The generator in `model`: the folder of a training, a checkpoint, or a SavedModel of ours.

    `changes` are options that differ from the saved ones, such as crop_size='512x256'.

    Raises:
        CheckpointError: there is no model, or it does not fit.
        Pix2PixError: its options.json or a value in `changes` cannot be used.
    """
    source = find_model(model, **changes)
    while True:
        try:
            return Generator(source)
        except CheckpointError:
            newer = find_model(model, **changes)
            if newer.checkpoint == source.checkpoint:
                raise
            source = newer  # a running training has replaced it meanwhile


class Generator:
    """A trained generator in a session of its own; several threads may call it.

    Use it as a context manager, or close it.
    """

    def __init__(self, source: Source) -> None:
        self.checkpoint, self.config, self.step, _ = source
        self._lock = threading.Lock()
        # One tile at a time, of one size, for which there is memory
        self._tiling, self._tile = threading.Lock(), tiling.default_tile()
        self._networks: typing.Dict[typing.Any, _Network] = {}
        session.prepare(self.config, print_line)
        self._graph = tf.Graph()
        self._session = tf.Session(graph=self._graph, config=session.session_config(self.config))
        try:
            with self._graph.as_default():
                tf.set_random_seed(0)  # nothing draws by it, but deterministic ops ask for one
                self._pixels = tf.placeholder(tf.uint8, [None, None, 3])
                self._png = images.encode_pngs(self._pixels[None])[0]
                self._contents = tf.placeholder(tf.string, [])
                self._decoded = dataset.decode_image(self._contents)
                self._networks['scale'] = self._build(None)
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
        seed: typing.Optional[int] = None,
        samples: int = 1,
        fit: str = 'scale',
        tile: typing.Optional[int] = None,
    ) -> typing.Any:
        """The output for `image`: uint8 [height, width, 3] or [n, height, width, 3], or of PIL.

        The result is of the same kind. `fit` 'scale' scales an image to the size of the training,
        which is the size of the result. 'whole' keeps its size: it is reflected up to a multiple of
        256; beyond `tile` pixels (a multiple of 256, by default what the memory allowed when the
        generator was loaded) it is computed in overlapping tiles.

        The noise depends on `seed` (by default that of `load`) and the pixels of the image; without
        a seed, it differs every time. With several `samples`, the result for an image has one axis
        more, in front (a list of PIL images).

        Raises:
            UsageError: an argument cannot be used.
            Pix2PixError: there is too little memory.
        """
        seed = self.config.seed if seed is None else seed
        _check(image, seed, samples, fit, tile)
        seed = random_seed() if seed is None else seed
        if isinstance(image, Image.Image):
            outputs = self._samples(np.asarray(read.to_rgb(image)), seed, samples, fit, tile)
            results = [Image.fromarray(output) for output in outputs]
            return results if samples > 1 else results[0]
        if image.ndim == 4:
            result = np.stack([self._samples(one, seed, samples, fit, tile) for one in image])
            return result if samples > 1 else result[:, 0]
        outputs = self._samples(image, seed, samples, fit, tile)
        return outputs if samples > 1 else outputs[0]

    def read(self, contents: bytes, name: str = 'the image') -> Image.Image:
        """The bytes of a file => its image as `reading.read_image` gives it, JPEG as in an export.

        Raises:
            DataError: it cannot be read; the message begins with `name`.
        """
        return read.read_image(contents, name, self._decode_jpeg)

    def _decode_jpeg(self, contents):
        try:
            return self._session.run(self._decoded, {self._contents: contents})
        except tf.errors.InvalidArgumentError as error:
            raise DataError(f'cannot be decoded ({compat.one_line(error)})') from error

    def encode(self, pixels: np.ndarray) -> bytes:
        """uint8 [height, width, 3] => the bytes of a PNG file, as in an export."""
        return self._session.run(self._png, {self._pixels: pixels})

    def _samples(self, image, seed, samples, fit, tile):
        """[samples, height, width, 3]; `image` is [height, width, 3]."""
        results = []
        for number in range(samples):
            sample_seed = seed + (number << 31)  # as `noise.image_seeds` numbers the samples
            if fit == 'scale':
                results.append(self._run('scale', image, sample_seed)[0])
            else:
                side = self._tile if tile is None else tile
                with self._tiling:
                    results.append(tiling.compute(self._run_padded, image, sample_seed, side))
        return np.stack(results)

    def _run_padded(self, image, seed, noise):
        return self._run(image.shape[:2], image, seed, noise)

    def _run(self, key, image, seed, noise=None):
        """(output, its noise) of the network for `key`."""
        with self._lock:
            if key not in self._networks:
                with self._graph.as_default():
                    self._networks[key] = self._build(key)
            network = self._networks[key]
        feeds = {network.image: image, network.seed: seed}
        if noise is not None:
            feeds[network.noise] = noise
        try:
            return self._session.run([network.output, network.noise], feeds)
        except tf.errors.OpError as error:
            smaller = '`crop_size`' if key == 'scale' else 'image or `tile`'
            diagnosis.raise_explained(error, [], smaller)

    def _build(self, size):
        """A network for images of `size` (height, width); None: for any, scaled to crop_size."""
        image = tf.placeholder(tf.uint8, [*(size or (None, None)), 3])
        seed = tf.placeholder(tf.int64, [])
        crop_size = size or self.config.crop_size
        config = dataclasses.replace(self.config, crop_size=crop_size)
        inputs = dataset.process_image(image, None, config)[None]
        inputs.set_shape([1, *crop_size, 3])
        noise = tf.placeholder_with_default(image_seeds(inputs, seed), [1, 2])
        output = images.deprocess_image(build_generator(inputs, self.config, noise))[0]
        return _Network(image, seed, noise, output)


class _Network(typing.NamedTuple):
    """The tensors of a network for one size of image."""

    image: tf.Tensor
    seed: tf.Tensor
    noise: tf.Tensor
    output: tf.Tensor


def _check(image, seed, samples, fit, tile):
    if not isinstance(image, Image.Image):
        shape = getattr(image, 'shape', None)
        fits = getattr(image, 'dtype', None) == np.uint8 and len(shape) in (3, 4) and all(shape)
        if not (fits and shape[-1] == 3):
            raise UsageError(
                f'the image is {_describe(image)}: it must be a PIL image, or an array of uint8 '
                '[height, width, 3] or [n, height, width, 3]'
            )
    if fit not in FITS:
        raise UsageError(f'`fit` is {fit}: it must be {" or ".join(FITS)}')
    if samples < 1:
        raise UsageError(f'`samples` is {samples}: it must be at least 1')
    if tile is not None and fit != 'whole':
        raise UsageError('`tile` is for `fit`=whole')
    if seed is not None and not (isinstance(seed, (int, np.integer)) and SEED.contains(seed)):
        raise UsageError(f'`seed` is {seed}: it must be {SEED.words}')


def _describe(image):
    shape = getattr(image, 'shape', None)
    return f'an array of {image.dtype} {list(shape)}' if shape is not None else repr(image)[:60]
