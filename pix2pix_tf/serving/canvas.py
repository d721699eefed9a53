"""What the page needs to know: the size of an input, the palette, inputs to start from."""

import io
import os
import random
import typing

import numpy as np
from PIL import Image

from pix2pix_tf import options
from pix2pix_tf.config import Config
from pix2pix_tf.pairs import folders, shaping
from pix2pix_tf.serving import palette
from pix2pix_tf.serving.palette import Palette
from pix2pix_tf.sizes import height_and_width
from pix2pix_tf.sources import Source
from pix2pix_tf.system.errors import DataError

_SAMPLED = 60  # training inputs whose colors are counted
_EXAMPLES = 12


class Canvas(typing.NamedTuple):
    """What one draws on, and with."""

    width: int
    height: int
    palette: Palette
    examples: typing.List[bytes]  # PNG files

    def describe(self, step: int) -> typing.Dict[str, typing.Any]:
        """As JSON values, with the step of the model."""
        colors = [color._asdict() for color in self.palette.colors]
        return {
            'step': step,
            'width': self.width,
            'height': self.height,
            'kind': self.palette.kind,
            'background': self.palette.background,
            'palette': colors,
            'examples': len(self.examples),
        }


def prepare(source: Source, data: typing.Optional[str] = None) -> Canvas:
    """The Canvas of a model: from the folder `data`, by default that of its training.

    Examples come from val/ next to that folder, or else from the folder itself. Without a folder
    there are some plain colors, and no examples.

    Raises:
        DataError: the folder `data` has no images.
    """
    height, width = height_and_width(source.config.crop_size)
    if data is None:
        recorded = options.load_data(source.folder)
        data = recorded.folder if recorded else ''
        if not os.path.isdir(data):
            return Canvas(width, height, palette.PLAIN, [])
    paths, _ = folders.find_images(data)
    found = palette.find([_input_of(path, source.config) for path in _spread(paths, _SAMPLED)])
    examples = _spread(_validation(data) or paths, _EXAMPLES)
    pngs = [_png(_input_of(path, source.config), (width, height)) for path in examples]
    return Canvas(width, height, found, pngs)


def _validation(data):
    folder = os.path.join(os.path.dirname(os.path.abspath(data)), 'val')
    try:
        return folders.find_images(folder)[0]
    except DataError:
        return []


def _spread(paths, count):
    """`count` of the usable pairs, always the same ones."""
    usable = (path for path in random.Random(1).sample(paths, len(paths)) if _is_pair(path))
    return [path for path, _ in zip(usable, range(count))]


def _is_pair(path):
    return folders.read_header(path).fault is None


def _input_of(path: str, config: Config) -> Image.Image:
    """The half of a pair that the generator gets."""
    with Image.open(path) as pair:
        a, b = shaping.halves(pair.convert('RGB'))
    return b if config.direction == 'BtoA' else a


def _png(image, size):
    if image.size != size:
        # Flat colors stay flat where they are not scaled down
        image = image.resize(size, Image.NEAREST if _grows(image, size) else Image.BOX)
    encoded = io.BytesIO()
    Image.fromarray(np.asarray(image)).save(encoded, 'PNG', optimize=True)
    return encoded.getvalue()


def _grows(image, size):
    return image.width <= size[0] and image.height <= size[1]
