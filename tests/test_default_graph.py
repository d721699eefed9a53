"""The defaults build the graph of the post: no option that is off leaves a trace in it."""

import hashlib

import pytest
import tensorflow.compat.v1 as tf

from pix2pix_tf import dataset, model
from pix2pix_tf.config import Config

# SHA-256 of the GraphDef by runtime, the first 16 digits. A change here means that every training
# has another graph: it must be meant, and parity with the post must still hold.
DIGESTS = {
    '1.15': {'dataset': '37dc6f2bb1933887', 'model': '58109f630d15d596'},
    '2.21': {'dataset': 'e4f7fcc4281218c8', 'model': '708068aa8097f5bc'},
}
VERSION = '.'.join(tf.__version__.split('.')[:2])

pytestmark = pytest.mark.skipif(VERSION not in DIGESTS, reason='no digests for this TensorFlow')


def digest(graph):
    contents = graph.as_graph_def().SerializeToString(deterministic=True)
    return hashlib.sha256(contents).hexdigest()[:16]


def test_of_the_input_pipeline(graph):
    batches = dataset.load_data(['1.jpg', '2.jpg', '3.jpg'], Config(num_threads=1))
    assert batches.steps_per_epoch == 3
    assert digest(graph) == DIGESTS[VERSION]['dataset']
    with tf.Graph().as_default() as other:
        dataset.load_data(['1.jpg', '2.jpg', '3.jpg'], Config(num_threads=1, flip=True))
    assert digest(other) != digest(graph)


def test_of_the_losses_and_updates(graph, monkeypatch):
    """With networks of one weight: the others are compared in test_parity.py."""

    def create_generator(inputs, config, seed=None):
        return tf.tanh(inputs * tf.get_variable('weight', []))

    def create_discriminator(inputs, targets, config):
        return tf.sigmoid((inputs - targets) * tf.get_variable('weight', []))

    monkeypatch.setattr(model, 'create_generator', create_generator)
    monkeypatch.setattr(model, 'create_discriminator', create_discriminator)
    images = [tf.placeholder(tf.float32, [1, 256, 256, 3]) for _ in range(2)]
    config = Config()
    model.build_model(*images, config, learning_rate=model.learning_rate_schedule(config, 9))
    assert digest(graph) == DIGESTS[VERSION]['model']
