"""A generator as an ONNX file, written from the arrays of its checkpoint.

Batch normalization with the statistics of a batch of one is instance normalization, so every image
of a batch is computed alone, as in an export. `import onnx` below means the library.
"""

import json
from typing import Any, Dict, List, Optional

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pix2pix_tf import __version__
from pix2pix_tf.config import as_written
from pix2pix_tf.convert import card
from pix2pix_tf.inference import onnx_file, variables
from pix2pix_tf.inference.masks import MASKED
from pix2pix_tf.inference.trained import Trained, saved_options
from pix2pix_tf.system.errors import CheckpointError

_ENCODERS, _DECODERS = range(1, 9), range(8, 0, -1)  # in the order of the data

_OPSET, _IR_VERSION = 13, 8  # read by onnxruntime 1.10 and later

# Layers with a smaller share of all weights keep float16 in an int8 file: these are the outer
# layers, whose rounding shows most in the output. The file becomes 2% larger.
_SMALL = 0.01


def write(
    source: Trained,
    path: str,
    weights: str = 'float32',
    masks: bool = False,
    canvas: Optional[Dict[str, Any]] = None,
) -> None:
    """Writes the generator of `source` to the file `path`.

    Its input 'input' and output 'output' are float32 [batch, height, width, channels] in [-1, 1];
    height and width are multiples of 256. With `masks` it also has the inputs 'mask_8', 'mask_7'
    and 'mask_6', [batch, *shape], which the dropout layers multiply their values by: 0, or
    1 / (1 - dropout). Without `masks`, there is no dropout. `weights` is the type of the stored
    filters: float32, float16 or int8; with int8, the smallest layers keep float16. The arithmetic
    is in float32.

    The metadata have what a model on its own needs: step, options, more rows of a model card, and
    the `canvas` of the page, as `serve.canvas` describes it.

    Raises:
        CheckpointError: the checkpoint is damaged, or does not fit.
        OSError: the file cannot be written.
    """
    onnx.save(build(source, weights, masks, canvas), path)


def build(
    source: Trained,
    weights: str = 'float32',
    masks: bool = False,
    canvas: Optional[Dict[str, Any]] = None,
) -> onnx.ModelProto:
    """The model that `write` writes.

    Raises:
        CheckpointError: the checkpoint is damaged, or does not fit.
    """
    model = _Writer(source, weights).model(masks)
    described = {
        'step': source.step,
        'options': as_written(saved_options(source)),
        'facts': card.facts(source),
        'canvas': canvas or {},
    }
    helper.set_model_props(model, {onnx_file.KEY: json.dumps(described)})
    return model


class _Writer:
    """Collects the nodes and the initializers of a file."""

    def __init__(self, source, weights):
        self.config, self.weights = source.config, weights
        self.values = variables.read(source)
        first = self.values.get('generator/encoder_1/conv/filter')
        if first is None or first.shape[-1] != self.config.ngf:
            raise CheckpointError(
                f'{source.checkpoint} does not fit: its generator does not begin with '
                f'{self.config.ngf} filters, as its options say'
            )
        last = self.values['generator/decoder_1/deconv/filter']
        channels, given = (
            (first.shape[2], last.shape[2]),
            (self.config.input_channels, self.config.output_channels),
        )
        if channels != given:
            raise CheckpointError(
                f'{source.checkpoint} does not fit: its generator has {channels[0]} channels in '
                f'and {channels[1]} out, not {given[0]} and {given[1]}, as its options say'
            )
        self.count = sum(
            values.size for name, values in self.values.items() if name.endswith('/filter')
        )
        self.nodes: List[onnx.NodeProto] = []
        self.initializers: List[onnx.TensorProto] = []

    def model(self, masks):
        image, output = (
            ['batch', 'height', 'width', channels]
            for channels in (self.config.input_channels, self.config.output_channels)
        )
        inputs = [helper.make_tensor_value_info('input', TensorProto.FLOAT, image)]
        if masks:
            inputs += [
                helper.make_tensor_value_info(
                    f'mask_{number}',
                    TensorProto.FLOAT,
                    ['batch', f'height_{number}', f'width_{number}', 8 * self.config.ngf],
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
        if name + 'scale' not in self.values:
            return images
        values = [
            self._store(name + part, self.values[name + part]) for part in ('scale', 'offset')
        ]
        epsilon = self.config.variance_epsilon
        return self._add('InstanceNormalization', [images, *values], epsilon=epsilon)

    def _filters(self, name, axis):
        """The name of float32 filters [.., .., 4, 4]; `axis` is the axis of the output channels."""
        values = np.ascontiguousarray(self.values[name].transpose(3, 2, 0, 1))
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

    def _store(self, name, values):
        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def _add(self, op, inputs, output=None, **attributes):
        """Adds a node; returns the name of its output."""
        output = output or f'{op}_{len(self.nodes)}'
        self.nodes.append(helper.make_node(op, inputs, [output], output, **attributes))
        return output
