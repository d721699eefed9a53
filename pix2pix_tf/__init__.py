"""pix2pix, paired image-to-image translation (Isola et al., 2017), as a graph of TensorFlow."""

import typing

if typing.TYPE_CHECKING:
    from pix2pix_tf.predicting import Generator

__version__ = '0.1.0'


def load(model: str, **changes: typing.Any) -> 'Generator':
    """The generator in the folder of a training, as a function of images: `predicting.load`."""
    from pix2pix_tf import predicting  # TensorFlow takes seconds to load

    return predicting.load(model, **changes)
