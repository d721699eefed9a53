"""What is particular to GPUs: switches that are off by default, and GPUs too new for CUDA 10."""

import os
import re

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.client import device_lib
from tensorflow.python.platform import build_info

from pix2pix_tf.system.errors import Pix2PixError

LOSS_SCALE = 128.0  # of the gradients in mixed precision: the smallest would round to 0 in float16

# Both are read when TensorFlow runs its first op; 1.15 knows the former alone
_DETERMINISTIC = {'TF_CUDNN_DETERMINISTIC': '1', 'TF_DETERMINISTIC_OPS': '1'}

_AMPERE = 8.0  # the first compute capability that CUDA 10 has no kernels for
_TOLERANCE = 0.01  # of the largest value; TF32, on by default in 2.x, stays below 0.002


def session_config(config):
    """The tf.ConfigProto for the switches of `config`; the default one where all are off."""
    proto = tf.ConfigProto()
    options = proto.graph_options
    if config.xla:
        options.optimizer_options.global_jit_level = tf.OptimizerOptions.ON_1
    if config.mixed_precision:
        options.rewrite_options.auto_mixed_precision = type(options.rewrite_options).ON
    if config.memory_growth:
        proto.gpu_options.allow_growth = True
    if config.deterministic_ops:
        os.environ.update(_DETERMINISTIC)
    return proto


def check(config, tell):
    """Stops where a GPU computes wrongly since it is newer than TensorFlow's build of CUDA.

    There, CUDA compiles the kernels at the first start, for up to half an hour, and results are
    reported to be wrong. `tell(line)` is called before that may begin.

    Raises:
        Pix2PixError: a convolution comes out differently on the GPU and the CPU.
    """
    if not _is_built_for_cuda_10():
        return  # before the GPUs are asked, which starts them
    proto = session_config(config)
    newest = max(_compute_capabilities(proto), default=0)
    if newest < _AMPERE:
        return
    tell(
        f'warning: this TensorFlow is built for CUDA 10 and has no kernels for a GPU of compute '
        f'capability {newest}; compiling them may take half an hour now. README.md names what runs '
        'on it'
    )
    expected, got = (_convolve(device, proto) for device in ('/cpu:0', '/gpu:0'))
    error = np.abs(got - expected).max() / np.abs(expected).max()
    if not error < _TOLERANCE:
        raise Pix2PixError(
            f'the GPU computes wrongly (a convolution is off by {error:.0%} of its largest value): '
            'it is too new for this TensorFlow; use RUNTIME=tf2, or hide it by '
            'CUDA_VISIBLE_DEVICES=-1'
        )


def _is_built_for_cuda_10():
    """By what 1.15 knows of its build; 2.x has this under another name, and newer CUDA."""
    return str(getattr(build_info, 'cuda_version_number', '')).split('.')[0] == '10'


def _compute_capabilities(proto):
    """Those of the GPUs that TensorFlow sees, as numbers: [7.5]."""
    devices = device_lib.list_local_devices(session_config=proto)
    found = [re.search('compute capability: ([0-9.]+)', d.physical_device_desc) for d in devices]
    return [float(match.group(1)) for match in found if match]


def _convolve(device, proto):
    """The same convolution each time, on `device`: [1, 16, 16, 32] float32."""
    rng = np.random.RandomState(0)
    with tf.Graph().as_default(), tf.device(device):
        images = tf.constant(rng.randn(1, 32, 32, 16).astype(np.float32))
        filters = tf.constant(rng.randn(4, 4, 16, 32).astype(np.float32))
        convolved = tf.nn.conv2d(images, filters, [1, 2, 2, 1], padding='SAME')
        with tf.Session(config=proto) as session:
            return session.run(convolved)
