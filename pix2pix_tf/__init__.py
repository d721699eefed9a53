"""pix2pix as a TensorFlow 1.x graph: paired image-to-image translation (Isola et al., 2017)."""

__version__ = '0.1.0'
