"""A small network of features, for FID and KID."""

import numpy as np
import tensorflow.compat.v1 as tf

WEIGHTS = np.random.RandomState(2).randn(3, 5).astype(np.float32)


def build_network(size=None, outputs=1, batch=None):
    """Features that depend on the mean color alone: (placeholder, feature tensors)."""
    images = tf.placeholder(tf.float32, [batch, size, size, 3], 'images')
    maps = tf.tensordot(images, tf.constant(WEIGHTS), 1)
    return images, [tf.multiply(maps, n + 1, f'features_{n}') for n in range(outputs)]


def write_frozen_graph(path, **options):
    with tf.Graph().as_default() as graph:
        build_network(**options)
        with open(str(path), 'wb') as file:
            file.write(graph.as_graph_def().SerializeToString())
    return str(path)
