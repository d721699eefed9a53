"""pix2pix, paired image-to-image translation (Isola et al., 2017), as a graph of TensorFlow.

`load`, `train`, `export` and `evaluate` import TensorFlow when they are called, not before. For an
ONNX file, `load` does without it if onnxruntime is installed.
"""

from typing import TYPE_CHECKING, Any

from pix2pix_tf.config import Config

__version__ = '0.1.0'
__all__ = ['Config', 'evaluate', 'export', 'load', 'train']

if TYPE_CHECKING:
    from pix2pix_tf.exporting import evaluate, export
    from pix2pix_tf.inference.generator import load
    from pix2pix_tf.training import train
else:

    def train(*args: Any, **kwargs: Any) -> Any:
        """Trains on a folder of pairs: see `training.train`."""
        from pix2pix_tf import training

        return training.train(*args, **kwargs)

    def export(*args: Any, **kwargs: Any) -> Any:
        """Writes the outputs of a trained generator, and their metrics: see `exporting.export`."""
        from pix2pix_tf import exporting

        return exporting.export(*args, **kwargs)

    def evaluate(*args: Any, **kwargs: Any) -> Any:
        """Measures the outputs of a trained generator: see `exporting.evaluate`."""
        from pix2pix_tf import exporting

        return exporting.evaluate(*args, **kwargs)

    def load(*args: Any, **kwargs: Any) -> Any:
        """A trained generator as a function of images: see `inference.generator.load`."""
        from pix2pix_tf.inference import generator

        return generator.load(*args, **kwargs)
