"""The REST API of TensorFlow Serving: signatures, row and column form, bytes as {"b64": ...}.

https://www.tensorflow.org/tfx/serving/api_rest
"""

import base64
import binascii
import re
from typing import Any, Dict, Tuple

import numpy as np
from werkzeug import exceptions

from pix2pix_tf.inference.generator import Generator, random_seed
from pix2pix_tf.serve import image_request
from pix2pix_tf.serve.image_request import Limits
from pix2pix_tf.system.parsing import parse_json

# {signature: (inputs, output)}, as `convert.saved_model` writes them. A name that ends in _bytes
# stands for the bytes of an image file.
SIGNATURES = {
    'serving_default': (('image_bytes',), 'output_bytes'),
    'seeded': (('image_bytes', 'seed'), 'output_bytes'),
    'floats': (('inputs',), 'outputs'),
}


def _signatures_of(generator: Generator) -> Dict[str, Tuple[Tuple[str, ...], str]]:
    """SIGNATURES, but 'seeded' only if the generator has noise."""
    return {n: s for n, s in SIGNATURES.items() if generator.has_noise or n != 'seeded'}


def describe_status(generator: Generator) -> Dict[str, Any]:
    """The response to GET /v1/models/NAME; the version is the training step."""
    status = {'error_code': 'OK', 'error_message': ''}
    version = {'version': str(generator.step), 'state': 'AVAILABLE', 'status': status}
    return {'model_version_status': [version]}


def describe_model(generator: Generator, name: str) -> Dict[str, Any]:
    """The response to GET /v1/models/NAME/metadata."""
    config = generator.config
    sides = config.crop_size
    tensors = {
        'image_bytes': _tensor('image_bytes', 'DT_STRING', [-1]),
        'output_bytes': _tensor('output_bytes', 'DT_STRING', [-1]),
        'inputs': _tensor('inputs', 'DT_FLOAT', [-1, *sides, config.input_channels]),
        'outputs': _tensor('outputs', 'DT_FLOAT', [-1, *sides, config.output_channels]),
        'seed': _tensor('seed', 'DT_INT64', [-1]),
    }
    signatures = {
        signature: {
            'inputs': {name: tensors[name] for name in inputs},
            'outputs': {output: tensors[output]},
            'method_name': 'tensorflow/serving/predict',
        }
        for signature, (inputs, output) in _signatures_of(generator).items()
    }
    spec = {'name': name, 'signature_name': '', 'version': str(generator.step)}
    return {
        'model_spec': spec,
        'metadata': {'signature_def': {'signature_def': signatures}},
    }


def _tensor(name, dtype, shape):
    dims = [{'size': str(side), 'name': ''} for side in shape]
    shape = {'dim': dims, 'unknown_rank': False}
    return {'dtype': dtype, 'tensor_shape': shape, 'name': name + ':0'}


def predict(generator: Generator, body: bytes, limits: Limits) -> Dict[str, Any]:
    """The response to POST /v1/models/NAME:predict.

    Raises:
        HTTPException: the body is not a valid request.
        DataError: an image cannot be decoded.
    """
    request = _parse(body)
    signature, known = request.get('signature_name') or 'serving_default', _signatures_of(generator)
    if not (isinstance(signature, str) and signature in known):
        raise exceptions.BadRequest(f'signature_name must be one of {", ".join(known)}')
    names, output = known[signature]
    if ('instances' in request) == ('inputs' in request):
        raise exceptions.BadRequest('send either "instances" or "inputs"')
    rows = 'instances' in request
    instances = _rows(request['instances'], names) if rows else _columns(request['inputs'], names)
    results = [_compute(generator, instance, limits) for instance in instances]
    encode = _encode if output.endswith('_bytes') else _floats
    # A single output has no name in the response
    return {'predictions' if rows else 'outputs': [encode(generator, pixels) for pixels in results]}


def _parse(body):
    try:
        request = parse_json(body)
    except ValueError as error:
        raise exceptions.BadRequest('the body is not JSON') from error
    if not isinstance(request, dict):
        raise exceptions.BadRequest('the body must be a JSON object')
    return request


def _rows(instances, names):
    """[{input: value}] of the row form."""
    if not (isinstance(instances, list) and instances):
        raise exceptions.BadRequest('"instances" must be a list that is not empty')
    return [_named(instance, names) for instance in instances]


def _columns(inputs, names):
    """[{input: value}] of the column form."""
    columns = _named(inputs, names)
    # As in TensorFlow Serving, only a list of one {"b64": ...} may lack its brackets
    columns = {n: [c] if isinstance(c, dict) else c for n, c in columns.items()}
    if not all(isinstance(column, list) for column in columns.values()):
        raise exceptions.BadRequest('every one of "inputs" must be a list')
    if len({len(column) for column in columns.values()}) != 1 or not columns[names[0]]:
        raise exceptions.BadRequest('all of "inputs" must be lists of the same length')
    return [dict(zip(columns, values)) for values in zip(*columns.values())]


def _named(value, names):
    """{input: value}; a single input may lack its name."""
    if isinstance(value, dict) and set(value) == set(names):
        return value
    if len(names) == 1 and not (isinstance(value, dict) and set(value) != {'b64'}):
        return {names[0]: value}
    raise exceptions.BadRequest(f'the inputs must be {" and ".join(names)}')


def _compute(generator, instance, limits):
    seed = instance.get('seed')
    if seed is None:
        seed = random_seed()
    elif type(seed) is not int:
        raise exceptions.BadRequest('seed must be a whole number')
    if 'image_bytes' in instance:
        contents = _decode(instance['image_bytes'])
        pixels = image_request.read_pixels(generator, contents, limits)
    else:
        pixels = _pixels(instance['inputs'], generator)
    return image_request.compute(generator, pixels, seed)


def _decode(value):
    if not (isinstance(value, dict) and set(value) == {'b64'}):
        raise exceptions.BadRequest('bytes must be sent as {"b64": "..."}')
    text = value['b64']
    if not isinstance(text, str):
        raise exceptions.BadRequest('b64 must be a string of base64')
    if re.match('data:[^,]*;base64,', text):
        text = text.partition(',')[2]
    try:
        return base64.b64decode(''.join(text.split()), validate=True)  # some clients wrap lines
    except (ValueError, binascii.Error) as error:
        reason = ' '.join(str(error).split())
        raise exceptions.BadRequest(f'b64 is not base64 ({reason})') from error


def _pixels(value, generator):
    """Nested lists of numbers in [-1, 1] => [height, width, input_channels] of the model's type."""
    config = generator.config
    shape = (*config.crop_size, config.input_channels)
    try:
        values = np.array(value, np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise exceptions.BadRequest('inputs must be nested lists of numbers') from error
    if values.shape != shape:
        raise exceptions.BadRequest(f'an image has the shape {list(shape)}')
    if not np.all(np.abs(values) <= 1):
        raise exceptions.BadRequest('the values of an image must be from -1 to 1')
    return np.round((values + 1) * (config.white / 2)).astype(config.pixel_type)


def _encode(generator, pixels):
    return {'b64': base64.b64encode(generator.encode(pixels)).decode()}


def _floats(generator, pixels):
    return np.round(pixels / (generator.config.white / 2) - 1, 6).tolist()
