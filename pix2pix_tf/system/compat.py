"""The differences between TensorFlow 1.15 and 2.x."""

import typing

import tensorflow.compat.v1 as tf

from pix2pix_tf.system import machine
from pix2pix_tf.system.errors import UsageError


def use_graph_mode() -> None:
    """Graphs, sessions and reference variables, as in 1.x; call it before building anything.

    It also sets the allocator; see `machine.keep_freed_blocks`.

    With the resource variables of 2.x, the generator's gradients would see the discriminator's
    weights from before its update instead of after it. On 1.15 this changes nothing.
    """
    tf.logging.set_verbosity(
        tf.logging.ERROR
    )  # otherwise it warns that each 1.x name is deprecated
    tf.disable_v2_behavior()
    machine.keep_freed_blocks()


def map_fn(fn: typing.Callable, elems: typing.Any, dtype: tf.DType) -> tf.Tensor:
    """`tf.map_fn`, which in 2.x would translate `fn` and all that it calls, for a second or two.

    It translates Python's `if` and `for` on tensors (AutoGraph); nothing here has any.
    """
    return tf.map_fn(tf.autograph.experimental.do_not_convert(fn), elems, dtype=dtype)


def one_line(error: Exception) -> str:
    """The cause in a tf.errors.OpError or an OSError, as one line without names of nodes.

    TensorFlow 2.x puts a report about the position in the graph before the cause.
    """
    text = getattr(error, 'message', None) or getattr(error, 'strerror', None) or str(error)
    lines = [line.strip() for line in text.strip().splitlines()]
    in_graph = [number for number, line in enumerate(lines) if line.startswith('Node: ')]
    if in_graph and len(lines) > in_graph[-1] + 1:
        lines = lines[in_graph[-1] + 1 :]
    # Errors of a server name it in a line of their own
    lines = [line for line in lines if not line.startswith('From /job:')] or lines
    # Several errors at once are numbered (0), (1), ...
    first = [line for line in lines if line.startswith('(0) ')]
    return (first or lines)[0].split(' [[')[0]


def describe_devices(session: typing.Any) -> str:
    """One line about the devices that `session` (a tf.Session) computes on."""
    gpus = [device.name for device in session.list_devices() if device.device_type == 'GPU']
    return f'TensorFlow {tf.__version__} on {", ".join(gpus) or "the CPU (it sees no GPU)"}'


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU; does not start it."""
    return bool(tf.config.experimental.list_physical_devices('GPU'))


def check_path(path: str) -> None:
    """Checks that TensorFlow can read a checkpoint at `path`, which it takes for a pattern.

    Raises:
        UsageError: it cannot.
    """
    if '\0' in path:
        raise UsageError(f'{path!r} is not a path: it has a zero byte')
    if set(path) & set('[\\'):
        raise UsageError(
            f'{path} has a [ or \\ in its path, where TensorFlow cannot find checkpoints'
        )
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f'{path!r} is not valid UTF-8, which TensorFlow requires') from error
