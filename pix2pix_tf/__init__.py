"""pix2pix, paired image-to-image translation (Isola et al., 2017), as a graph of TensorFlow."""

import typing

if typing.TYPE_CHECKING:
    from pix2pix_tf.inference.generator import Generator

__version__ = '0.1.0'


def load(model: str, **changes: typing.Any) -> 'Generator':
    """The generator in the folder of a training, as a function of images.

    See `inference.generator.load`.
    """
    from pix2pix_tf.inference import generator  # TensorFlow takes seconds to load

    return generator.load(model, **changes)
