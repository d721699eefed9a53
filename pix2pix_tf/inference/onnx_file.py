"""An ONNX file of `convert`: its description and its weights, read without any library.

A file is a message of Protocol Buffers, https://protobuf.dev/programming-guides/encoding, with the
fields of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Only the few that `convert.onnx`
writes are read here, so neither the package onnx nor onnxruntime is needed to know what a file is.
"""

import os
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple, Union

import numpy as np

from pix2pix_tf.system.errors import CheckpointError
from pix2pix_tf.system.parsing import parse_json

KEY = 'pix2pix_tf'  # of the description in the metadata of a file

_MAX_BYTES = 2**31  # of a file: that is the limit of Protocol Buffers
_MAX_DESCRIPTION = 2**22  # bytes, with the examples of the page

# The numbers of the fields that are read
_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_PROPERTY_KEY, _PROPERTY_VALUE = 1, 2
_GRAPH_INITIALIZER, _GRAPH_INPUT = 5, 11
_INPUT_NAME = 1
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_DATA = 1, 2, 8, 9

_TYPES = {1: np.dtype('<f4'), 3: np.dtype('i1'), 10: np.dtype('<f2')}  # float32, int8, float16

Field = Union[int, memoryview]


class OnnxFile(NamedTuple):
    """What `convert.onnx` writes besides the network."""

    step: int  # how long the generator was trained; 0 if that is unknown
    has_masks: bool  # whether the noise is an input
    options: Dict[str, Any]  # as options.json has them
    facts: List[Tuple[str, str]]  # more rows of the model card, such as metrics
    canvas: Dict[str, Any]  # of the page: palette and examples; empty if unknown


def read(path: str) -> OnnxFile:
    """The description in an ONNX file.

    Raises:
        CheckpointError: it cannot be read, or this package did not write it.
    """
    fields = _fields_of(path)
    try:
        properties = dict(_property(value) for key, value in fields if key == _MODEL_METADATA)
        if KEY not in properties:
            raise CheckpointError(
                f'{path} is not an ONNX file of pix2pix_tf: `model` takes those that '
                'pix2pix-convert has written'
            )
        if len(properties[KEY]) > _MAX_DESCRIPTION:
            raise ValueError('its description is too long')
        described = parse_json(properties[KEY])
        graph = next(value for key, value in fields if key == _MODEL_GRAPH)
        inputs = [_text(value, _INPUT_NAME) for key, value in _fields(graph) if key == _GRAPH_INPUT]
        step = described['step']
        if type(step) is not int or not 0 <= step < 2**63:
            raise ValueError('its step is not a number of steps')
        facts = [(_words(name), _words(value)) for name, value in described['facts']]
        options, canvas = dict(described['options']), dict(described['canvas'])
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration) as error:
        raise _unreadable(path, error) from error
    return OnnxFile(step, len(inputs) > 1, options, facts, canvas)


def read_weights(path: str) -> Dict[str, np.ndarray]:
    """{name of a variable: float32 array of its shape} for all variables of the generator.

    Filters that are stored as int8 are multiplied by the scales of their channels.

    Raises:
        CheckpointError: the file is damaged, or not of this package.
    """
    try:
        graph = next(value for key, value in _fields_of(path) if key == _MODEL_GRAPH)
        stored = dict(_tensor(value) for key, value in _fields(graph) if key == _GRAPH_INITIALIZER)
        return {
            name: _variable(name, values, stored)
            for name, values in stored.items()
            if not name.endswith(('_scale', '_zero'))
        }
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration) as error:
        raise _unreadable(path, error) from error


def _variable(name, values, stored):
    """An array as TensorFlow has it; filters are [4, 4, .., ..] there, and [.., .., 4, 4] here."""
    weights = values.astype(np.float32)
    if not name.endswith('/filter'):
        return weights
    if values.dtype == np.int8:
        # Of the output channels: the first axis of a convolution, the second of a transposed one
        shape = (-1, 1, 1, 1) if name.endswith('/conv/filter') else (1, -1, 1, 1)
        weights = weights * stored[name + '_scale'].reshape(shape)
    return np.ascontiguousarray(weights.transpose(2, 3, 1, 0))


def _unreadable(path, error):
    return CheckpointError(f'cannot read {path} ({str(error) or type(error).__name__})')


def contents(path: str) -> bytes:
    """The bytes of the file.

    Raises:
        CheckpointError: it cannot be read, or is too large for an ONNX file.
    """
    try:
        if os.path.getsize(path) >= _MAX_BYTES:
            raise CheckpointError(f'{path} is too large for an ONNX file')
        with open(path, 'rb') as file:
            return file.read()
    except OSError as error:
        raise CheckpointError(f'cannot read {path} ({error.strerror})') from error


def _fields_of(path):
    try:
        return list(_fields(memoryview(contents(path))))
    except ValueError:
        return []  # it is another file, and has no description


# Protocol Buffers


def _fields(message: memoryview) -> Iterator[Tuple[int, Field]]:
    """(number, value) of each field: a whole number, or the bytes of anything else.

    Raises:
        ValueError: these are not the bytes of a message.
    """
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _number(message, at)
            yield key >> 3, value
            continue
        if kind == 2:
            length, at = _number(message, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError('it is damaged')
        if length > len(message) - at:
            raise ValueError('it is cut off')
        yield key >> 3, message[at : at + length]
        at += length


def _number(message, at):
    """(the number of variable length at `at`, where it ends)."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError('it is cut off')
        byte, at = message[at], at + 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
    raise ValueError('it is damaged')


def _text(message, number):
    return next(bytes(value).decode() for key, value in _fields(message) if key == number)


def _property(message):
    value = next(value for key, value in _fields(message) if key == _PROPERTY_VALUE)
    return _text(message, _PROPERTY_KEY), bytes(value)


def _words(text):
    if not isinstance(text, str) or not text.isprintable():
        raise ValueError('its description has other values than text')
    return text


def _tensor(message):
    """(name, array) of an initializer."""
    dims, kind, data = [], None, b''
    for key, value in _fields(message):
        if key == _TENSOR_DIMS:  # the numbers one by one, or all in one field
            dims += [value] if isinstance(value, int) else _numbers(value)
        elif key == _TENSOR_TYPE:
            kind = value
        elif key == _TENSOR_DATA:
            data = value
    array = np.frombuffer(data, _TYPES[kind])
    return _text(message, _TENSOR_NAME), array.reshape(dims)


def _numbers(message):
    at, numbers = 0, []
    while at < len(message):
        number, at = _number(message, at)
        numbers.append(number)
    return numbers
