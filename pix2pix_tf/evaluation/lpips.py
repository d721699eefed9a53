"""LPIPS (Zhang et al., 2018), version 0.1 with AlexNet: a distance of images that follows the eye.

The features of AlexNet's five layers, divided by their length over the channels, are compared by a
weighted sum of squared differences. The weights were fitted to what people found similar.
"""

import contextlib
from typing import Callable, Dict, Iterator

import numpy as np
import tensorflow.compat.v1 as tf

from pix2pix_tf.evaluation import lpips_weights

# Mean and standard deviation of the photos that AlexNet saw, as values from -1 to 1
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_STRIDES = 4, 1, 1, 1, 1  # of the convolutions
_PADDING = 2, 2, 1, 1, 1  # zeros on each side
_POOLED = 1, 2  # the layers whose input is halved by a max-pool (the first is 0)
_EPSILON = 1e-10  # added to the length of a feature vector


@contextlib.contextmanager
def opened(path: str) -> Iterator[Callable[[np.ndarray, np.ndarray], Dict[str, float]]]:
    """Yields a function that returns {'LPIPS': distance} of an output and its target.

    Both are [height, width, 3] uint8; gray images, [height, width, 1], count as RGB. `path` is of
    the weights, as `lpips_weights.fetch` writes them.

    Raises:
        Pix2PixError: there are no weights at `path`.
    """
    weights = lpips_weights.load(path)
    with tf.Graph().as_default():
        images = [tf.placeholder(tf.uint8, [None, None, None]) for _ in range(2)]
        distance = _build(images[0], images[1], weights)
        # On the CPU: beside a training there may be no memory on the GPU, and its convolutions may
        # round to TF32. Each pair has a separate run, so the size of a batch changes no digit.
        with tf.Session(config=tf.ConfigProto(device_count={'GPU': 0})) as session:

            def compare(output, target):
                return {'LPIPS': float(session.run(distance, dict(zip(images, (output, target)))))}

            yield compare


def _build(image: tf.Tensor, other: tf.Tensor, weights: Dict[str, np.ndarray]) -> tf.Tensor:
    """The distance of two images, [height, width, 1 or 3] uint8 => a scalar."""
    distances = []
    # A network for each image, as two images in one batch may be rounded differently: equal images
    # have the distance 0
    layers = zip(_build_features(image, weights), _build_features(other, weights))
    for number, (one, two) in enumerate(layers, 1):
        difference = tf.squared_difference(_normalize(one), _normalize(two))
        weighted = tf.reduce_sum(difference * weights[f'linear_{number}'], axis=-1)
        distances.append(tf.reduce_mean(weighted))
    return tf.add_n(distances)


def _build_features(image, weights):
    """The outputs of AlexNet's five convolutions, after their ReLU.

    [height, width, 1 or 3] => [1, height / 4, width / 4, 64], [1, height / 8, width / 8, 192], and
    three of [1, height / 16, width / 16, 384 or 256]; all sides are about 1 smaller.
    """
    values = tf.cast(image, tf.float32)[None] / 127.5 - 1
    values = (values - _SHIFT) / _SCALE  # gray becomes three channels here
    features = []
    for layer, (stride, padding) in enumerate(zip(_STRIDES, _PADDING)):
        if layer in _POOLED:
            values = tf.nn.max_pool(values, [1, 3, 3, 1], [1, 2, 2, 1], 'VALID')
        padded = tf.pad(values, [[0, 0], [padding, padding], [padding, padding], [0, 0]])
        filters, bias = weights[f'filter_{layer + 1}'], weights[f'bias_{layer + 1}']
        values = tf.nn.relu(tf.nn.conv2d(padded, filters, [1, stride, stride, 1], 'VALID') + bias)
        features.append(values)
    return features


def _normalize(features):
    length = tf.sqrt(tf.reduce_sum(tf.square(features), axis=-1, keepdims=True))
    return features / (length + _EPSILON)
