"""The network of a trained generator as a graph of TensorFlow, with its session."""

import dataclasses
import threading
from typing import Any, Dict, NamedTuple, Optional, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from pix2pix_tf import dataset, diagnosis, images, session
from pix2pix_tf.config import Size
from pix2pix_tf.inference import variables
from pix2pix_tf.inference.noise import image_seeds
from pix2pix_tf.inference.trained import Trained
from pix2pix_tf.model import build_generator
from pix2pix_tf.system import compat
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import DataError


class TensorFlowNetwork:
    """The network of `found`; several threads may call it.

    Raises:
        CheckpointError: the checkpoint is missing or damaged, or does not fit.
    """

    def __init__(self, found: Trained) -> None:
        self._config = found.config
        self._building = threading.Lock()
        self._by_size: Dict[Size, _Network] = {}
        compat.use_graph_mode()
        session.prepare(self._config, print_line)
        self._graph = tf.Graph()
        self._session = tf.Session(graph=self._graph, config=session.session_config(self._config))
        try:
            with self._graph.as_default():
                tf.set_random_seed(0)  # no op draws by it, but deterministic ops require one
                output = [None, None, self._config.output_channels]
                self._pixels = tf.placeholder(self._config.pixel_type, output)
                self._png = images.encode_pngs(self._pixels[None], self._config)[0]
                self._contents = tf.placeholder(tf.string, [])
                self._decoded = dataset.decode_image(self._contents)
                if self._config.bits == 16:
                    self._decoded_16 = dataset.decode_image(self._contents, self._config)
                self._scaled = self._build((None, None), self._config.crop_size)
                variables.restore(found, self._session)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Frees the session."""
        self._session.close()

    def encode(self, pixels: np.ndarray) -> bytes:
        """An output, uint8 [height, width, 3] => the bytes of a PNG file, as in an export."""
        return self._session.run(self._png, {self._pixels: pixels})

    def decode_jpeg(self, contents: bytes) -> np.ndarray:
        """The bytes of a JPEG file => uint8 [height, width, 3], as in an export.

        Raises:
            DataError: it cannot be decoded.
        """
        return self._decode(contents, self._decoded)

    def decode_16_bits(self, contents: bytes) -> np.ndarray:
        """The bytes of a PNG file => uint16 [height, width, channels], as in an export.

        Raises:
            DataError: it cannot be decoded.
        """
        return self._decode(contents, self._decoded_16).astype(np.uint16)

    def _decode(self, contents, decoded):
        try:
            return self._session.run(decoded, {self._contents: contents})
        except tf.errors.InvalidArgumentError as error:
            raise DataError(f'cannot be decoded ({compat.one_line(error)})') from error

    def run_scaled(self, image: np.ndarray, seed: int) -> np.ndarray:
        """[height, width, input_channels] => the output for it: [*crop_size, output_channels].

        Raises:
            Pix2PixError: there is too little memory.
        """
        feeds = {self._scaled.image: image, self._scaled.seed: seed}
        return self._run(self._scaled.output, feeds, '`crop_size`')

    def run_tile(
        self, image: np.ndarray, seed: int, noise: Optional[np.ndarray]
    ) -> Tuple[np.ndarray, np.ndarray]:
        """(output, its noise) for an image with sides of multiples of 256: a `tiling.RunTile`.

        Raises:
            Pix2PixError: there is too little memory.
        """
        network = self._of_size(*image.shape[:2])
        feeds = {network.image: image, network.seed: seed}
        if noise is not None:
            feeds[network.noise] = noise
        return self._run([network.output, network.noise], feeds, 'image or `tile`')

    def _run(self, fetches: Any, feeds: Dict[tf.Tensor, Any], smaller: str) -> Any:
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
        channels = self._config.input_channels
        image = tf.placeholder(self._config.pixel_type, [*image_size, channels])
        seed = tf.placeholder(tf.int64, [])
        config = dataclasses.replace(self._config, crop_size=crop_size)
        inputs = dataset.process_image(image, None, config)[None]
        inputs.set_shape([1, *crop_size, channels])
        noise = tf.placeholder_with_default(image_seeds(inputs, seed), [1, 2])
        output = images.deprocess_image(build_generator(inputs, self._config, noise), self._config)
        return _Network(image, seed, noise, output[0])


class _Network(NamedTuple):
    """The tensors of the generator for one size."""

    image: tf.Tensor  # [height, width, input_channels] uint8 or uint16
    seed: tf.Tensor
    noise: tf.Tensor  # [1, 2] int64, the seeds of the dropout: from `seed`, unless it is fed
    output: tf.Tensor  # [height, width, output_channels] of the same type
