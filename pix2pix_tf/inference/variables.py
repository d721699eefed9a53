"""The variables of a trained generator, from its checkpoint or its ONNX file."""

from typing import Dict, Optional

import numpy as np
import tensorflow.compat.v1 as tf

from pix2pix_tf import checkpoints
from pix2pix_tf.inference import onnx_file
from pix2pix_tf.inference.trained import Trained
from pix2pix_tf.system.errors import CheckpointError


def restore(source: Trained, session: tf.Session, saver: Optional[tf.train.Saver] = None) -> None:
    """Sets all variables of the default graph to their values in `source`.

    A graph that is final needs a `saver` from before.

    Raises:
        CheckpointError: it is missing or damaged, or its variables are not those of this graph.
    """
    all_variables = tf.global_variables()
    if not source.is_onnx:
        saver = saver or tf.train.Saver()
        checkpoints.restore(saver, session, source.checkpoint, all_variables)
        return
    values = onnx_file.read_weights(source.checkpoint)
    for variable in all_variables:
        name, shape = variable.op.name, variable.get_shape().as_list()
        if name not in values or list(values[name].shape) != shape:
            raise CheckpointError(
                f'{source.checkpoint} does not fit: it has no {name} of the shape {shape}, as its '
                'options say'
            )
        variable.load(values[name], session)


def read(source: Trained) -> Dict[str, np.ndarray]:
    """{name: array} of the variables of the generator in `source`.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    if source.is_onnx:
        return onnx_file.read_weights(source.checkpoint)
    with checkpoints.readable(source.checkpoint):
        reader = tf.train.NewCheckpointReader(source.checkpoint)
        names = [name for name in reader.get_variable_to_shape_map() if _is_of_generator(name)]
        return {name: reader.get_tensor(name) for name in names}


def _is_of_generator(name):
    return name.startswith('generator/') and not name.endswith(('/Adam', '/Adam_1'))
