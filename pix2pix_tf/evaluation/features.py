"""Features of pictures, by a network that the user supplies: what FID and KID are taken over."""

import contextlib
import os
import typing

import numpy as np
import tensorflow.compat.v1 as tf

from pix2pix_tf.system import runtime
from pix2pix_tf.system.errors import Pix2PixError

SERVING = 'serve', 'serving_default'  # tag and signature of a SavedModel


class Network(typing.NamedTuple):
    """Where a network of features is, and how pictures go in."""

    path: str  # frozen graph (a file) or SavedModel (a folder)
    input_name: typing.Optional[str] = None  # tensor; None where there is no doubt
    output_name: typing.Optional[str] = None
    low: float = 0.0  # what black and white are to the network
    high: float = 255.0


@contextlib.contextmanager
def opened(network):
    """Gives a function: [batch, height, width, 3] uint8 => [batch, features] float64.

    Pictures are scaled to the size that the network's input has, where it has one; features that
    are left with a height and a width are averaged over them.

    Raises:
        Pix2PixError: there is no such network, or it is unclear where pictures go in or features
            come out; the message names the flag to say so with.
    """
    with tf.Graph().as_default() as graph, tf.Session() as session:
        try:
            if os.path.isdir(network.path):
                source, features = _load_saved_model(session, network)
            else:
                source, features = _load_frozen_graph(graph, network)
        except (OSError, ValueError, KeyError, RuntimeError, tf.errors.OpError) as error:
            raise Pix2PixError(
                f'{network.path} is no network of features: {runtime.reason(error)}'
            ) from error
        pictures = tf.placeholder(tf.float32, [None, None, None, 3])
        scaled = _scale_to(source, pictures, network)
        if features.shape.ndims == 4:
            features = tf.reduce_mean(features, axis=[1, 2])
        if features.shape.ndims != 2:
            raise Pix2PixError(
                f'{network.path}: {features.name} has the shape {features.shape}, not one row of '
                'features for a picture; name another by --features_output'
            )

        def extract(batch):
            try:
                fed = {source: session.run(scaled, {pictures: batch})}
                return session.run(features, fed).astype(np.float64)
            except tf.errors.OpError as error:
                raise Pix2PixError(
                    f'{network.path} takes no such pictures: {runtime.reason(error)}'
                ) from error

        yield extract


def _scale_to(source, pictures, network):
    low, high = network.low, network.high
    scaled = low + pictures / 255 * (high - low)
    size = source.shape.as_list()[1:3] if source.shape.ndims == 4 else [None]
    if None not in size:
        scaled = tf.image.resize_images(scaled, size)
    return tf.cast(scaled, source.dtype.base_dtype)


def _load_saved_model(session, network):
    tag, signature = SERVING
    loaded = tf.saved_model.loader.load(session, [tag], network.path)
    signature = loaded.signature_def[signature]
    names = []
    for flag, given, ends in (
        ('--features_input', network.input_name, signature.inputs),
        ('--features_output', network.output_name, signature.outputs),
    ):
        if not given and len(ends) != 1:
            raise ValueError(f'it has {len(ends)} of them: {", ".join(ends)}; choose by {flag}')
        names.append(given or next(iter(ends.values())).name)
    return [_tensor(session.graph, name) for name in names]


def _load_frozen_graph(graph, network):
    definition = tf.GraphDef()
    with open(network.path, 'rb') as file:
        try:
            definition.ParseFromString(file.read())
        except Exception as error:  # protobuf's kinds differ between its implementations
            raise ValueError('it is not a frozen graph') from error
    tf.import_graph_def(definition, name='')
    operations = graph.get_operations()
    sources = [op.name for op in operations if op.type == 'Placeholder']
    ends = [
        op.name
        for op in operations
        if op.outputs and op.inputs and not any(output.consumers() for output in op.outputs)
    ]
    names = []
    for flag, given, found in (
        ('--features_input', network.input_name, sources),
        ('--features_output', network.output_name, ends),
    ):
        if not given and len(found) != 1:
            raise ValueError(f'it could be {", ".join(found[:5]) or "none"}; choose by {flag}')
        names.append(given or found[0])
    return [_tensor(graph, name) for name in names]


def _tensor(graph, name):
    return graph.get_tensor_by_name(name if ':' in name else name + ':0')
