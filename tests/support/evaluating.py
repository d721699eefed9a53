"""The values of tensors."""

import tensorflow.compat.v1 as tf


def evaluate(tensor, **values):
    """Value of `tensor`, with variables set by name first."""
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for variable in tf.global_variables():
            if variable.op.name in values:
                variable.load(values[variable.op.name], session)
        return session.run(tensor)
