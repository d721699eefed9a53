"""What TensorFlow 1.15 and 2.x need to run the same graph."""

import tensorflow.compat.v1 as tf


def use_graph_mode():
    """Graphs, sessions and reference variables, as in 1.x; call it before building anything.

    On 2.x, resource variables would give the generator's gradients the discriminator's weights
    from before its update instead of after it. On 1.15 this changes nothing.
    """
    tf.logging.set_verbosity(tf.logging.ERROR)  # else every name of 1.x is announced as deprecated
    tf.disable_v2_behavior()


def reason(error):
    """What went wrong, in one line, from a tf.errors.OpError or an OSError.

    Without the names of nodes; 2.x puts a report of where in the graph it was in front of it.
    """
    text = getattr(error, 'message', None) or getattr(error, 'strerror', None) or str(error)
    lines = [line.strip() for line in text.strip().splitlines()]
    in_graph = [number for number, line in enumerate(lines) if line.startswith('Node: ')]
    if in_graph and len(lines) > in_graph[-1] + 1:
        lines = lines[in_graph[-1] + 1 :]
    # Several errors at once are listed as (0), (1), ...
    first = [line for line in lines if line.startswith('(0) ')]
    return (first or lines)[0].split(' [[')[0]


def describe_devices(session):
    """One line on what `session` computes on."""
    gpus = [device.name for device in session.list_devices() if device.device_type == 'GPU']
    return f'TensorFlow {tf.__version__} on {", ".join(gpus) or "the CPU (it sees no GPU)"}'


def has_gpu():
    """Whether TensorFlow sees a GPU; does not start it."""
    return bool(tf.config.experimental.list_physical_devices('GPU'))
