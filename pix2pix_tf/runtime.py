"""What TensorFlow 1.15 and 2.x need to run the same graph."""

import tensorflow.compat.v1 as tf


def use_graph_mode():
    """Graphs, sessions and reference variables, as in 1.x; call it before building anything.

    On 2.x, resource variables would give the generator's gradients the discriminator's weights
    from before its update instead of after it. On 1.15 this changes nothing.
    """
    tf.logging.set_verbosity(tf.logging.ERROR)  # else every name of 1.x is announced as deprecated
    tf.disable_v2_behavior()


def describe_devices(session):
    """One line on what `session` computes on."""
    gpus = [device.name for device in session.list_devices() if device.device_type == 'GPU']
    return f'TensorFlow {tf.__version__} on {", ".join(gpus) or "the CPU (it sees no GPU)"}'
