"""The network of an ONNX file in onnxruntime, without TensorFlow: numpy does what is around it."""

import io
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import onnxruntime

from pix2pix_tf.config import Size
from pix2pix_tf.inference import masks, onnx_file
from pix2pix_tf.inference.trained import Trained
from pix2pix_tf.pairs import panels
from pix2pix_tf.system import machine
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import CheckpointError, Pix2PixError

_COMPRESSION = 1  # of PNG files, as TensorFlow's


class OnnxNetwork:
    """The network of the ONNX file `found`; several threads may call it. It runs on the CPU.

    Raises:
        CheckpointError: the file is missing or damaged, or has other inputs than ours.
    """

    decode_jpeg = None  # Pillow decodes

    def __init__(self, found: Trained) -> None:
        self._path, self._config = found.checkpoint, found.config
        for name in ('xla', 'mixed_precision', 'memory_growth'):
            if getattr(self._config, name):
                print_line(f'{name} has no effect on an ONNX file in onnxruntime')
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = machine.cores()
        options.log_severity_level = 4  # what fails is raised, too
        # From its bytes, so that it cannot refer to other files
        contents = onnx_file.contents(self._path)
        try:
            self._session = onnxruntime.InferenceSession(
                contents, options, providers=['CPUExecutionProvider']
            )
        except Exception as error:  # its errors have no common class
            raise CheckpointError(f'cannot read {self._path} ({_one_line(error)})') from error
        names = [one.name for one in self._session.get_inputs()]
        if names not in (['input'], ['input', *masks.NAMES]):
            raise CheckpointError(f'{self._path} does not fit: its inputs are {", ".join(names)}')
        self._has_masks = len(names) > 1

    def close(self) -> None:
        """Frees the session."""
        self._session = None

    def encode(self, pixels: np.ndarray) -> bytes:
        """An output, uint8 [height, width, 3] => the bytes of a PNG file."""
        encoded = io.BytesIO()
        image = panels.picture(pixels, self._config.channels)
        image.save(encoded, 'PNG', compress_level=_COMPRESSION)
        return encoded.getvalue()

    def run_scaled(self, image: np.ndarray, seed: int) -> np.ndarray:
        """[height, width, input_channels] => the output for it: [*crop_size, output_channels].

        Raises:
            Pix2PixError: there is too little memory.
        """
        inputs = scale(to_floats(image), self._config.crop_size)
        output = self.run(inputs, masks.image_seed(inputs, seed), '`crop_size`')
        return to_pixels(output, image.dtype)

    def run_tile(
        self, image: np.ndarray, seed: int, noise: Optional[List[int]]
    ) -> Tuple[np.ndarray, List[int]]:
        """(output, its noise) for an image with sides of multiples of 256: a `tiling.RunTile`.

        Raises:
            Pix2PixError: there is too little memory.
        """
        inputs = to_floats(image)
        noise = noise or masks.image_seed(inputs, seed)
        return to_pixels(self.run(inputs, noise, 'image or `tile`'), image.dtype), noise

    def run(self, inputs: np.ndarray, noise: List[int], smaller: str) -> np.ndarray:
        """[height, width, input_channels] in [-1, 1] => the output, with the masks of `noise`."""
        feeds = {'input': inputs[None]}
        if self._has_masks:
            config = self._config
            feeds.update(masks.draw(noise, inputs.shape[:2], config.ngf, config.dropout))
        return self._run(feeds, smaller)[0]

    def _run(self, feeds: Dict[str, np.ndarray], smaller: str) -> np.ndarray:
        session = self._session
        if session is None:
            raise RuntimeError('the generator is closed')
        try:
            return session.run(['output'], feeds)[0]
        except Exception as error:  # its errors have no common class
            cause = _one_line(error)
            if 'alloc' in cause.lower():
                raise Pix2PixError(f'out of memory: use a smaller {smaller}') from error
            raise CheckpointError(f'cannot run {self._path} ({cause})') from error


def _one_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def to_floats(image: np.ndarray) -> np.ndarray:
    """Whole numbers, such as uint8 => float32 in [-1, 1]; any shape, as `dataset.process_image`."""
    return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max / 2) - 1


def to_pixels(output: np.ndarray, dtype: Any = np.uint8) -> np.ndarray:
    """Float in [-1, 1] => whole numbers of `dtype`; any shape, as `images.deprocess_image`."""
    most = np.float32(np.iinfo(dtype).max + 0.5)
    return (np.clip((output + 1) / 2, 0, 1) * most).astype(dtype)


def scale(image: np.ndarray, size: Size) -> np.ndarray:
    """[height, width, any] => [*size, any] float32: means of areas, as `dataset.process_image`."""
    if image.shape[:2] == tuple(size):
        return image
    rows, columns = (_shares(old, new) for old, new in zip(image.shape, size))
    across = np.tensordot(columns, image, (1, 1))  # [width, old height, channels]
    return np.ascontiguousarray(np.tensordot(rows, across, (1, 1)), np.float32)


def _shares(old, new):
    """[new, old] float32: the share that each old pixel of a side has in each new one."""
    edges = np.arange(new + 1) * (old / new)
    start = np.maximum(edges[:-1, None], np.arange(old))
    end = np.minimum(edges[1:, None], np.arange(old) + 1)
    return (np.maximum(end - start, 0) * (new / old)).astype(np.float32)
