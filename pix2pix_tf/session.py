"""What a session is given besides the graph: its precision, and how TensorFlow optimizes it."""

import os
from typing import Callable, Iterable, List, NamedTuple

import tensorflow.compat.v1 as tf

from pix2pix_tf.config import Config
from pix2pix_tf.system import compat, machine

# In float16 the smallest gradients would round to 0; bfloat16 has the range of float32
FLOAT16_LOSS_SCALE = 128.0

# TensorFlow reads both when it runs its first op; 1.15 knows only the first
_DETERMINISTIC = {'TF_CUDNN_DETERMINISTIC': '1', 'TF_DETERMINISTIC_OPS': '1'}

# The rewrite of oneDNN for CPUs; 1.15 has none
_BFLOAT16_REWRITE = 'auto_mixed_precision_onednn_bfloat16'


def session_config(config: Config) -> tf.ConfigProto:
    """The tf.ConfigProto for the switches of `config`."""
    proto = tf.ConfigProto()
    options = proto.graph_options
    if not compat.has_gpu():
        # A second pass over the graph delays the first step, and makes no step faster on a CPU
        options.rewrite_options.meta_optimizer_iterations = type(options.rewrite_options).ONE
    if config.xla:
        options.optimizer_options.global_jit_level = tf.OptimizerOptions.ON_1
    rewrite = {
        'float16': 'auto_mixed_precision',
        'bfloat16': _BFLOAT16_REWRITE,
        'float32': None,
    }[precision(config)]
    if rewrite:
        setattr(options.rewrite_options, rewrite, type(options.rewrite_options).ON)
    if config.memory_growth:
        proto.gpu_options.allow_growth = True
    return proto


def prepare(config: Config, notify: Callable[[str], object]) -> None:
    """Makes ops deterministic if `config` asks for it; call it before the first op runs.

    `notify(line)` is called with what the switches do here, and with a warning about a GPU for
    which this TensorFlow has no kernels.
    """
    if config.xla and not compat.has_gpu():
        notify('xla has no effect: it needs a GPU')
    line = describe_precision(config)
    if line:
        notify(line)
    if config.deterministic_ops:
        os.environ.update(_DETERMINISTIC)
    capabilities = compat.compute_capabilities(session_config(config))
    for line in missing_kernels(compat.cuda_version(), capabilities):
        notify(line)


# Precision, on a GPU or a CPU


def precision(config: Config) -> str:
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


def loss_scale(config: Config) -> float:
    """The factor for losses, by which gradients are divided again; 1 if none is needed."""
    return FLOAT16_LOSS_SCALE if precision(config) == 'float16' else 1.0


def describe_precision(config: Config) -> str:
    """One line about what `mixed_precision` does here; empty if it is off."""
    if not config.mixed_precision:
        return ''
    if precision(config) == 'float32':
        return (
            'mixed_precision has no effect: it needs a GPU, or TensorFlow 2.x and a CPU with '
            'avx512_bf16 or AMX'
        )
    return f'mixed precision: {precision(config)} where it is safe, float32 elsewhere'


# GPUs: which build of TensorFlow has kernels for them


class Build(NamedTuple):
    """A build of TensorFlow: the compute capabilities for which it has kernels."""

    lowest: float
    highest: float
    older: str  # what happens on an older GPU, and what to use instead
    newer: str  # the same on a newer one


# By the CUDA version that TensorFlow is built for, or the beginning of it. docs/gpu.md shows it.
BUILDS = {
    '10': Build(  # TensorFlow 1.15
        0.0,
        7.5,
        '',
        'compiling them may take half an hour, and outputs may be wrong; use TensorFlow 2.x',
    ),
    '12.1': Build(  # NVIDIA's 1.15.5+nv23.03, the last one
        0.0,
        9.0,
        '',
        "its ops may fail; use NVIDIA's container of TensorFlow 2",
    ),
    '12.5': Build(  # TensorFlow 2.21
        6.0,
        9.0,
        'TensorFlow does not use it; use TensorFlow 1.15',
        "its ops fail; use NVIDIA's container of TensorFlow 2",
    ),
}


def missing_kernels(cuda: str, capabilities: Iterable[float]) -> List[str]:
    """A warning for each of the compute capabilities of GPUs for which a build has no kernels.

    `cuda` is the version that TensorFlow is built for, such as '12.5.1'. A version that is not in
    `BUILDS` gets no warning.
    """
    lines = []
    for version, build in BUILDS.items():
        if not f'{cuda}.'.startswith(f'{version}.'):
            continue
        for capability in sorted(set(capabilities)):
            if not build.lowest <= capability <= build.highest:
                effect = build.newer if capability > build.highest else build.older
                lines.append(
                    f'warning: this TensorFlow (CUDA {cuda}) has no kernels for a GPU of compute '
                    f'capability {capability}: {effect}, or hide the GPU with '
                    'CUDA_VISIBLE_DEVICES=-1; see docs/gpu.md'
                )
    return lines
