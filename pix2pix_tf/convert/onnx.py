"""A generator as an ONNX file, written from the arrays of its checkpoint.

Batch normalization with the statistics of a batch of one is instance normalization, so every image
of a batch is computed alone, as in an export. `import onnx` below means the library.
"""

import re
from typing import List

import numpy as np
import onnx
import tensorflow.compat.v1 as tf
from onnx import TensorProto, helper, numpy_helper

from pix2pix_tf import __version__, checkpoints
from pix2pix_tf.convert.graph import MASKED, mask_shape
from pix2pix_tf.inference.trained import Trained
from pix2pix_tf.system.errors import CheckpointError

_ENCODERS, _DECODERS = range(1, 9), range(8, 0, -1)  # in the order of the data

_OPSET, _IR_VERSION = 13, 8  # read by onnxruntime 1.10 and later

# Layers with a smaller share of all weights keep float16 in an int8 file: these are the outer
# layers, whose rounding shows most in the output. The file becomes 2% larger.
_SMALL = 0.01


def write(source: Trained, path: str, weights: str = 'float32', masks: bool = False) -> None:
    """Writes the generator of `source` to the file `path`.

    Its input 'input' and output 'output' are float32 [batch, height, width, channels] in [-1, 1].
    With `masks` it also has the inputs 'mask_8', 'mask_7' and 'mask_6', [batch, *mask_shape], which
    the dropout layers multiply their values by: 0, or 1 / (1 - dropout). Without `masks`, there is
    no dropout. `weights` is the type of the stored filters: float32, float16 or int8; with int8,
    the smallest layers keep float16. The arithmetic is in float32.

    Raises:
        CheckpointError: the checkpoint is damaged, or does not fit.
        OSError: the file cannot be written.
    """
    onnx.save(build(source, weights, masks), path)


def build(source: Trained, weights: str = 'float32', masks: bool = False) -> onnx.ModelProto:
    """The model that `write` writes.

    Raises:
        CheckpointError: the checkpoint is damaged, or does not fit.
    """
    return _Writer(source, weights).model(masks)


class _Writer:
    """Collects the nodes and the initializers of a file."""

    def __init__(self, source, weights):
        self.config, self.weights, self.checkpoint = source.config, weights, source.checkpoint
        with checkpoints.readable(source.checkpoint):
            self.reader = tf.train.NewCheckpointReader(source.checkpoint)
            shapes = self.reader.get_variable_to_shape_map()
        first = shapes.get('generator/encoder_1/conv/filter')
        if not first or first[-1] != self.config.ngf:
            raise CheckpointError(
                f'{source.checkpoint} does not fit: its generator does not begin with '
                f'{self.config.ngf} filters, as its options say'
            )
        last = shapes.get('generator/decoder_1/deconv/filter', [0] * 4)
        channels = self.config.input_channels, self.config.output_channels
        if channels != (first[2], last[2]):
            raise CheckpointError(
                f'{source.checkpoint} does not fit: its generator has {first[2]} channels in and '
                f'{last[2]} out, not {channels[0]} and {channels[1]}, as its options say'
            )
        self.count = sum(
            np.prod(shape)
            for name, shape in shapes.items()
            if re.fullmatch('generator/.*/filter', name)
        )
        self.nodes: List[onnx.NodeProto] = []
        self.initializers: List[onnx.TensorProto] = []

    def model(self, masks):
        height, width = self.config.crop_size
        image, output = (
            ['batch', height, width, channels]
            for channels in (self.config.input_channels, self.config.output_channels)
        )
        inputs = [helper.make_tensor_value_info('input', TensorProto.FLOAT, image)]
        if masks:
            inputs += [
                helper.make_tensor_value_info(
                    f'mask_{number}',
                    TensorProto.FLOAT,
                    ['batch', *mask_shape(number, self.config)],
                )
                for number in MASKED
            ]
        self._build(masks)
        graph = helper.make_graph(
            self.nodes,
            'generator',
            inputs,
            [helper.make_tensor_value_info('output', TensorProto.FLOAT, output)],
            self.initializers,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid('', _OPSET)],
            ir_version=_IR_VERSION,
            producer_name='pix2pix_tf',
            producer_version=__version__,
        )
        onnx.checker.check_model(model)
        return model

    def _build(self, masks):
        layers = []
        output = self._add('Transpose', ['input'], perm=[0, 3, 1, 2])
        for number in _ENCODERS:
            if number > 1:
                output = self._add('LeakyRelu', [output], alpha=self.config.leak)
            output = self._conv(output, f'encoder_{number}')
            layers.append(output)
        for number in _DECODERS:
            if number < len(_ENCODERS):
                output = self._add('Concat', [output, layers[number - 1]], axis=1)
            output = self._add('Relu', [output])
            output = self._deconv(output, f'decoder_{number}')
            if masks and number in MASKED:
                mask = self._add('Transpose', [f'mask_{number}'], perm=[0, 3, 1, 2])
                output = self._add('Mul', [output, mask])
        output = self._add('Tanh', [output])
        self._add('Transpose', [output], 'output', perm=[0, 2, 3, 1])

    def _conv(self, images, scope):
        filters = self._filters(f'generator/{scope}/conv/filter', axis=0)
        output = self._add('Conv', [images, filters], pads=[1] * 4, strides=[2, 2])
        return self._batchnorm(output, scope)

    def _deconv(self, images, scope):
        filters = self._filters(f'generator/{scope}/deconv/filter', axis=1)
        output = self._add('ConvTranspose', [images, filters], pads=[1] * 4, strides=[2, 2])
        return self._batchnorm(output, scope)

    def _batchnorm(self, images, scope):
        name = f'generator/{scope}/batchnorm/'
        if not self.reader.has_tensor(name + 'scale'):
            return images
        values = [self._store(name + part, self._read(name + part)) for part in ('scale', 'offset')]
        epsilon = self.config.variance_epsilon
        return self._add('InstanceNormalization', [images, *values], epsilon=epsilon)

    def _filters(self, name, axis):
        """The name of float32 filters [.., .., 4, 4]; `axis` is the axis of the output channels."""
        values = np.ascontiguousarray(self._read(name).transpose(3, 2, 0, 1))
        is_small = values.size < _SMALL * self.count
        if self.weights == 'float16' or (self.weights == 'int8' and is_small):
            stored = self._store(name, values.astype(np.float16))
            return self._add('Cast', [stored], to=TensorProto.FLOAT)
        if self.weights == 'int8':
            others = tuple(i for i in range(4) if i != axis)
            scale = np.maximum(np.abs(values).max(axis=others, keepdims=True) / 127, 1e-12)
            stored = self._store(name, np.round(values / scale).astype(np.int8))
            scales = self._store(name + '_scale', scale.ravel().astype(np.float32))
            zeros = self._store(name + '_zero', np.zeros(scale.size, np.int8))
            return self._add('DequantizeLinear', [stored, scales, zeros], axis=axis)
        return self._store(name, values)

    def _read(self, name):
        with checkpoints.readable(self.checkpoint):
            return self.reader.get_tensor(name)

    def _store(self, name, values):
        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def _add(self, op, inputs, output=None, **attributes):
        """Adds a node; returns the name of its output."""
        output = output or f'{op}_{len(self.nodes)}'
        self.nodes.append(helper.make_node(op, inputs, [output], output, **attributes))
        return output
