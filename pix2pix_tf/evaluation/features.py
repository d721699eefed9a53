"""Features of images, from a network that the user supplies: FID and KID compare them."""

import contextlib
import os
from typing import Callable, Iterator, NamedTuple, Optional

import numpy as np
import tensorflow.compat.v1 as tf

from pix2pix_tf.system import compat
from pix2pix_tf.system.errors import Pix2PixError

SERVING = 'serve', 'serving_default'  # tag and signature of a SavedModel

Extract = Callable[[np.ndarray], np.ndarray]


class FeatureNetwork(NamedTuple):
    """A feature network, and the values and tensors by which images enter it."""

    path: str  # frozen graph (a file) or SavedModel (a folder)
    input_name: Optional[str] = None  # tensor; None if there is only one
    output_name: Optional[str] = None
    low: float = 0.0  # the values of black and white that the network expects
    high: float = 255.0


@contextlib.contextmanager
def opened(network: FeatureNetwork) -> Iterator[Extract]:
    """Yields a function: [batch, height, width, 3] uint8 => [batch, features] float64.

    Images are scaled to the size of the network's input, if it has a fixed one. Features with a
    height and a width are averaged over both.

    Raises:
        Pix2PixError: there is no such network, or it has several inputs or outputs; the message
            then names the option that chooses one.
    """
    proto = tf.ConfigProto()
    # The first session of a process decides how all of them take the memory of a GPU
    proto.gpu_options.allow_growth = True
    with tf.Graph().as_default() as graph, tf.Session(config=proto) as session:
        try:
            if os.path.isdir(network.path):
                source, features = _load_saved_model(session, network)
            else:
                source, features = _load_frozen_graph(graph, network)
        except (OSError, ValueError, KeyError, RuntimeError, tf.errors.OpError) as error:
            raise Pix2PixError(
                f'{network.path} cannot be used as a feature network: {compat.one_line(error)}'
            ) from error
        images = tf.placeholder(tf.float32, [None, None, None, 3])
        scaled = _scale_to(source, images, network)
        if features.shape.ndims == 4:
            features = tf.reduce_mean(features, axis=[1, 2])
        if features.shape.ndims != 2:
            raise Pix2PixError(
                f'{network.path}: {features.name} has the shape {features.shape}, not one row of '
                'features per image; choose another with `features_output`'
            )

        def extract(batch):
            try:
                fed = {source: session.run(scaled, {images: batch})}
                found = session.run(features, fed).astype(np.float64)
            except (tf.errors.OpError, TypeError, ValueError) as error:
                raise Pix2PixError(
                    f'{network.path} does not accept these images: {compat.one_line(error)}'
                ) from error
            if not np.isfinite(found).all():
                raise Pix2PixError(
                    f'{network.path} returns features that are not finite: does it expect another '
                    '`features_range`?'
                )
            return found

        yield extract


def _scale_to(source, images, network):
    low, high = network.low, network.high
    scaled = low + images / 255 * (high - low)
    size = source.shape.as_list()[1:3] if source.shape.ndims == 4 else [None]
    if None not in size:
        scaled = tf.image.resize_images(scaled, size)
    return tf.cast(scaled, source.dtype.base_dtype)


def _load_saved_model(session, network):
    tag, signature = SERVING
    loaded = tf.saved_model.loader.load(session, [tag], network.path)
    signature = loaded.signature_def[signature]
    inputs = {name: info.name for name, info in signature.inputs.items()}
    outputs = {name: info.name for name, info in signature.outputs.items()}
    return _choose_tensors(session.graph, network, inputs, outputs)


def _load_frozen_graph(graph, network):
    definition = tf.GraphDef()
    with open(network.path, 'rb') as file:
        try:
            definition.ParseFromString(file.read())
        except Exception as error:  # protobuf's error types differ between its implementations
            raise ValueError('it is not a frozen graph') from error
    tf.import_graph_def(definition, name='')
    operations = graph.get_operations()
    inputs = {op.name: op.name for op in operations if op.type == 'Placeholder'}
    outputs = {
        op.name: op.name
        for op in operations
        if op.outputs and op.inputs and not any(output.consumers() for output in op.outputs)
    }
    return _choose_tensors(graph, network, inputs, outputs)


def _choose_tensors(graph, network, inputs, outputs):
    """The network's input and output tensor; `inputs` and `outputs` are {label: tensor name}."""
    tensors = []
    for option, given, found in (
        ('features_input', network.input_name, inputs),
        ('features_output', network.output_name, outputs),
    ):
        if not given and len(found) != 1:
            candidates = ', '.join(list(found)[:5]) or 'none'
            raise ValueError(f'it could be {candidates}; choose one with `{option}`')
        name = given or next(iter(found.values()))
        tensors.append(graph.get_tensor_by_name(name if ':' in name else name + ':0'))
    return tensors
