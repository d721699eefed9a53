"""Switches of the session that are off by default, and GPUs that are too new for CUDA 10."""

import os
import re
import typing

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.client import device_lib  # the only list with compute capabilities
from tensorflow.python.platform import build_info  # the only place with the CUDA version

from pix2pix_tf.system import compat, machine
from pix2pix_tf.system.errors import Pix2PixError

# TensorFlow reads both when it runs its first op; 1.15 knows only the first
_DETERMINISTIC = {'TF_CUDNN_DETERMINISTIC': '1', 'TF_DETERMINISTIC_OPS': '1'}

# The rewrite of oneDNN for CPUs; 1.15 has none
_BFLOAT16_REWRITE = 'auto_mixed_precision_onednn_bfloat16'

_AMPERE = 8.0  # the first compute capability for which CUDA 10 has no kernels
_TOLERANCE = 0.01  # of the largest value; TF32, on by default in 2.x, stays below 0.002


def session_config(config: typing.Any) -> tf.ConfigProto:
    """The tf.ConfigProto for the switches of a `Config`; the default one if all are off."""
    proto = tf.ConfigProto()
    options = proto.graph_options
    if config.xla:
        options.optimizer_options.global_jit_level = tf.OptimizerOptions.ON_1
    switch = {
        'float16': 'auto_mixed_precision',
        'bfloat16': _BFLOAT16_REWRITE,
        'float32': None,
    }[precision(config)]
    if switch:
        setattr(options.rewrite_options, switch, type(options.rewrite_options).ON)
    if config.memory_growth:
        proto.gpu_options.allow_growth = True
    return proto


def precision(config: typing.Any) -> str:
    """The type in which most of the arithmetic is done: float16, bfloat16 or float32.

    With `mixed_precision` a GPU takes float16. A CPU that has bfloat16 takes that, on 2.x.
    """
    if not config.mixed_precision:
        return 'float32'
    if compat.has_gpu():
        return 'float16'
    rewrites = tf.ConfigProto().graph_options.rewrite_options
    if hasattr(rewrites, _BFLOAT16_REWRITE) and machine.has_bfloat16():
        return 'bfloat16'
    return 'float32'


def describe_precision(config: typing.Any) -> str:
    """One line about what `mixed_precision` does here; empty if it is off."""
    if not config.mixed_precision:
        return ''
    if precision(config) == 'float32':
        return (
            'mixed_precision has no effect: it needs a GPU, or TensorFlow 2.x and a CPU with '
            'avx512_bf16 or AMX'
        )
    return f'mixed precision: {precision(config)} where it is safe, float32 elsewhere'


def prepare(config: typing.Any, notify: typing.Callable[[str], object]) -> None:
    """Makes ops deterministic if asked to, and stops if a GPU computes wrong results.

    Call it before the first op runs. A GPU that is newer than the CUDA 10 of TensorFlow's build has
    no kernels there: CUDA compiles them for up to half an hour at the first start, and results are
    reported to be wrong. `notify(line)` is called before that may happen, and with what
    the switches do here.

    Raises:
        Pix2PixError: a convolution gives different results on the GPU and the CPU.
    """
    if config.xla and not compat.has_gpu():
        notify('xla has no effect: it needs a GPU')
    line = describe_precision(config)
    if line:
        notify(line)
    if config.deterministic_ops:
        os.environ.update(_DETERMINISTIC)
    if not _is_built_for_cuda_10():
        return  # listing the GPUs would start them
    proto = session_config(config)
    newest = max(_compute_capabilities(proto), default=0)
    if newest < _AMPERE:
        return
    notify(
        f'warning: this TensorFlow is built for CUDA 10 and has no kernels for a GPU of compute '
        f'capability {newest}; compiling them now may take half an hour. See docs/gpu.md'
    )
    expected, result = (_convolve(device, proto) for device in ('/cpu:0', '/gpu:0'))
    error = np.abs(result - expected).max() / np.abs(expected).max()
    if not error < _TOLERANCE:
        raise Pix2PixError(
            f'the GPU computes wrong results (a convolution is off by {error:.0%} of its largest '
            'value): it is too new for this TensorFlow; use TensorFlow 2.x, or hide the GPU with '
            'CUDA_VISIBLE_DEVICES=-1'
        )


def _is_built_for_cuda_10():
    """From the build information of 1.15; 2.x uses another name for it, and newer CUDA."""
    return str(getattr(build_info, 'cuda_version_number', '')).split('.')[0] == '10'


def _compute_capabilities(proto):
    """The compute capabilities of the GPUs that TensorFlow sees, as numbers: [7.5]."""
    devices = device_lib.list_local_devices(session_config=proto)
    found = [re.search('compute capability: ([0-9.]+)', d.physical_device_desc) for d in devices]
    return [float(match.group(1)) for match in found if match]


def _convolve(device, proto):
    """A fixed convolution, computed on `device`: [1, 16, 16, 32] float32."""
    rng = np.random.RandomState(0)
    with tf.Graph().as_default(), tf.device(device):
        images = tf.constant(rng.randn(1, 32, 32, 16).astype(np.float32))
        filters = tf.constant(rng.randn(4, 4, 16, 32).astype(np.float32))
        convolved = tf.nn.conv2d(images, filters, [1, 2, 2, 1], padding='SAME')
        with tf.Session(config=proto) as session:
            return session.run(convolved)
