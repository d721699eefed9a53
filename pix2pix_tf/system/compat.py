"""The differences between TensorFlow 1.15 and 2.x."""

import contextlib
import os
import re
import sys
import typing

import tensorflow.compat.v1 as tf
from tensorflow.python.client import device_lib  # in 1.15 the only source of compute capabilities
from tensorflow.python.platform import build_info  # in 1.15 the only source of the CUDA version

try:
    from tensorflow.python.util import _pywrap_util_port as pywrap_mkl
except ImportError:  # 1.15
    from tensorflow.python import pywrap_tensorflow as pywrap_mkl

from pix2pix_tf.system import machine
from pix2pix_tf.system.errors import UsageError


def use_graph_mode() -> None:
    """Graphs, sessions and reference variables, as in 1.x; call it before building anything.

    It also sets the allocator; see `machine.keep_freed_blocks`.

    With the resource variables of 2.x, the generator's gradients would see the discriminator's
    weights from before its update instead of after it. On 1.15 this changes nothing.
    """
    tf.logging.set_verbosity(tf.logging.ERROR)  # else it warns of the 1.x names: all deprecated
    tf.disable_v2_behavior()
    machine.keep_freed_blocks()


def map_fn(fn: typing.Callable, elems: typing.Any, dtype: tf.DType) -> tf.Tensor:
    """`tf.map_fn`, which in 2.x would translate `fn` and all that it calls, for a second or two.

    It translates Python's `if` and `for` on tensors (AutoGraph); nothing here has any.
    """
    return tf.map_fn(tf.autograph.experimental.do_not_convert(fn), elems, dtype=dtype)


def stateless_uniform(shape: typing.Sequence[int], seed: tf.Tensor) -> tf.Tensor:
    """`tf.random.stateless_uniform` in float32, by the op that it has in 1.15.

    1.15 does not know the op of 2.x, and could not load a model that 2.x has exported. The numbers
    are the same.
    """
    return tf.raw_ops.StatelessRandomUniform(shape=shape, seed=seed, dtype=tf.float32)


@contextlib.contextmanager
def converter_on_path() -> typing.Iterator[None]:
    """Puts the programs of this Python on the path: 1.15 converts to TensorFlow Lite by one."""
    before = os.environ.get('PATH', os.defpath)
    os.environ['PATH'] = os.path.dirname(sys.executable) + os.pathsep + before
    try:
        yield
    finally:
        os.environ['PATH'] = before


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


def has_onednn() -> bool:
    """Whether TensorFlow computes convolutions with oneDNN: 2.x on CPUs with AVX-512, or as told.

    TF_ENABLE_ONEDNN_OPTS in the environment is what tells it.
    """
    return bool(pywrap_mkl.IsMklEnabled())


def cuda_version() -> str:
    """The CUDA version that TensorFlow is built for, such as '10' or '12.5.1'; '' if none."""
    if hasattr(tf.sysconfig, 'get_build_info'):
        return str(tf.sysconfig.get_build_info().get('cuda_version', ''))
    return str(getattr(build_info, 'cuda_version_number', ''))


def compute_capabilities(config: tf.ConfigProto) -> typing.List[float]:
    """The compute capabilities of the GPUs that TensorFlow sees, such as [7.5].

    1.15 starts the GPUs to find out, as a session with `config` would.
    """
    gpus = tf.config.experimental.list_physical_devices('GPU')
    if not gpus:
        return []
    details = getattr(tf.config.experimental, 'get_device_details', None)
    if details:
        found = [details(gpu).get('compute_capability') for gpu in gpus]
        return [float(f'{version[0]}.{version[1]}') for version in found if version]
    descriptions = [d.physical_device_desc for d in device_lib.list_local_devices(config)]
    return [float(n) for d in descriptions for n in re.findall('compute capability: ([0-9.]+)', d)]


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
