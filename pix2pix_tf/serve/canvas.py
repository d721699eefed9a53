"""The drawing area of the page: its size, its palette, and examples to start from."""

import base64
import contextlib
import io
import os
import random
import re
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import numpy as np
from PIL import Image

from pix2pix_tf import options_file
from pix2pix_tf.config import Config
from pix2pix_tf.inference import onnx_file
from pix2pix_tf.inference.trained import Trained, saved_data
from pix2pix_tf.pairs import find, halves, palette, read
from pix2pix_tf.pairs.palette import Color, Palette, Sheet
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import CheckpointError, DataError

PAGE = os.path.join(os.path.dirname(__file__), 'page')  # its files

_SAMPLED = 60  # training inputs whose colors are counted
_EMBEDDED = 2**19  # bytes of the examples in an ONNX file
_MOST_COLORS = _MOST_EXAMPLES = 64  # that are read from one


class Canvas(NamedTuple):
    """The drawing area, its palette and examples."""

    width: int  # in pixels
    height: int
    palette: Palette
    sheet: Sheet  # what Clear gives
    input_half: str  # of a pair: left or right
    examples: List[bytes]  # PNG files

    def input_of(self, image: Image.Image) -> Tuple[Image.Image, bool]:
        """The input in an image of mode RGB, and whether the image is a pair.

        A pair of such a model is twice as wide as high; the input is one of its halves.
        """
        if image.width != 2 * image.height or self.width == 2 * self.height:
            return image, False
        a, b = halves.cut(image)
        if self.input_half == 'right':
            a, b = b, a
        return (a, True) if palette.is_pair(a, b, self.palette) else (image, False)

    def describe(self, step: int) -> Dict[str, Any]:
        """The values of model.json, with the training step of the model."""
        colors = [color._asdict() for color in self.palette.colors]
        return {
            'step': step,
            'width': self.width,
            'height': self.height,
            'kind': self.palette.kind,
            'background': self.palette.background,
            'sheet': self.sheet,
            'input_half': self.input_half,
            'palette': colors,
            'examples': len(self.examples),
        }

    def embedded(self) -> Dict[str, Any]:
        """The values for an ONNX file, with as many examples as half a megabyte holds."""
        examples: List[bytes] = []
        for example in self.examples:
            if sum(map(len, examples)) + len(example) <= _EMBEDDED:
                examples.append(example)
        return {
            'kind': self.palette.kind,
            'background': self.palette.background,
            'palette': [list(color) for color in self.palette.colors],
            'sheet': [list(band) for band in self.sheet],
            'examples': [base64.b64encode(example).decode() for example in examples],
        }


def prepare(source: Trained, data: Optional[str] = None, most_examples: int = 12) -> Canvas:
    """The Canvas of a model: from the pairs in `data`, by default those of its training.

    That of an ONNX file is in the file, unless there is `data`.

    Examples come from val/ next to that folder, or else from the folder itself. The folder of the
    training counts only if it still has the files of the training: options.json may come from a
    stranger, and name any folder of this machine. Otherwise, the Canvas has a few plain colors and
    no examples, and a line says so. The page draws only one RGB image of 8 bits: the Canvas of
    another input is of the kind FILES.

    Raises:
        CheckpointError: an ONNX file has another Canvas than `Canvas.embedded` makes.
        DataError: the folder `data` has no pairs.
    """
    size = source.config.crop_size[::-1]
    half = 'right' if source.config.direction == 'BtoA' else 'left'
    if not source.config.is_rgb_pair:
        plain = palette.PLAIN._replace(kind=palette.FILES)
        return Canvas(*size, plain, palette.layout([], plain), half, [])
    if source.is_onnx and not data:
        embedded = onnx_file.read(source.checkpoint).canvas
        found, sheet, examples = _read_embedded(embedded, source.checkpoint)
        return Canvas(*size, found, sheet, half, examples[:most_examples])
    folder = data or folder_of_training(source) or ''
    try:
        inputs = _inputs(folder, source.config, _SAMPLED) if folder else []
    except DataError:
        if data:
            raise
        inputs = []
    if not inputs:
        return Canvas(*size, palette.PLAIN, palette.layout([], palette.PLAIN), half, [])
    found = palette.find(inputs)
    sheet = palette.layout(inputs, found)
    if not most_examples:
        return Canvas(*size, found, sheet, half, [])
    try:
        validation = os.path.join(os.path.dirname(os.path.abspath(folder)), 'val')
        examples = _inputs(validation, source.config, most_examples)
    except DataError:
        examples = inputs[:most_examples]
    return Canvas(*size, found, sheet, half, [_png(image, size) for image in examples])


def _read_embedded(values, path):
    """(palette, sheet, examples) of the `values` in an ONNX file, which may be a stranger's."""
    if not values:
        return palette.PLAIN, palette.layout([], palette.PLAIN), []
    try:
        if len(values['palette']) > _MOST_COLORS or len(values['examples']) > _MOST_EXAMPLES:
            raise ValueError
        colors = [Color(_hex(color), str(name)[:40]) for color, name in values['palette']]
        kinds = {palette.LABELS, palette.LINES, palette.PHOTOS, palette.UNKNOWN}
        [kind] = {values['kind']} & kinds
        sheet = [(float(top), _hex(color)) for top, color in values['sheet']]
        examples = [base64.b64decode(example, validate=True) for example in values['examples']]
        if not (colors and sheet and all(0 <= top <= 1 for top, _ in sheet)):
            raise ValueError
        return Palette(kind, _hex(values['background']), colors), sheet, examples
    except (ValueError, LookupError, TypeError) as error:
        raise CheckpointError(f'{path} has a palette or examples that cannot be used') from error


def _hex(color):
    if not re.fullmatch('#[0-9a-f]{6}', color):
        raise ValueError
    return color


def folder_of_training(
    source: Trained, notify: Callable[[str], object] = print_line
) -> Optional[str]:
    """The folder recorded in options.json, if it has the files recorded there, or else None.

    `notify` is called with a line if it has other files.
    """
    recorded = saved_data(source)
    if not recorded:
        return None
    try:
        paths, _ = find.find_images(recorded.folder)
        if options_file.describe_data(recorded.folder, paths).digest == recorded.digest:
            return recorded.folder
        good = [path for path in paths if find.read_header(path).fault is None]  # skip_bad_files
        if options_file.describe_data(recorded.folder, good).digest == recorded.digest:
            return recorded.folder
    except (DataError, OSError, ValueError):  # no such folder, or no name of one
        return None
    notify(
        f'{recorded.folder} has other files than when {source.checkpoint} was trained: the page '
        'has plain colors and no examples; choose a folder with `data`'
    )
    return None


def _inputs(folder: str, config: Config, count: int) -> List[Image.Image]:
    """The input halves of at most `count` valid pairs, always the same ones."""
    paths, _ = find.find_images(folder)
    found: List[Image.Image] = []
    for path in random.Random(1).sample(paths, len(paths)):
        if len(found) < count and find.read_header(path).fault is None:
            with contextlib.suppress(DataError):  # its pixels are damaged
                with read.opened(path, path) as image, read.decoding(path):
                    pair = read.to_rgb(image)
                a, b = halves.cut(pair)
                found.append(b if config.direction == 'BtoA' else a)
    if not found:
        raise DataError(f'none of the files in {folder} is a pair: see `make check-pairs`')
    return found


def _png(image, size):
    if image.size != size:
        # Flat colors stay flat where they are not scaled down
        image = image.resize(size, Image.NEAREST if _grows(image, size) else Image.BOX)
    encoded = io.BytesIO()
    # By way of an array: the file then has no metadata
    Image.fromarray(np.asarray(image)).save(encoded, 'PNG', optimize=True)
    return encoded.getvalue()


def _grows(image, size):
    return image.width <= size[0] and image.height <= size[1]
