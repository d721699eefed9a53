"""The WSGI application: the page, /predict, TensorFlow Serving's REST API, /metrics."""

import io
import json
import os
import time
import zlib
from typing import Any, Dict, Iterable, Tuple

import numpy as np
from PIL import Image
from werkzeug import exceptions
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from pix2pix_tf.inference.generator import Generator
from pix2pix_tf.serve import access, image_request, tf_serving
from pix2pix_tf.serve.access import Access
from pix2pix_tf.serve.canvas import PAGE, Canvas
from pix2pix_tf.serve.hot_reload import CurrentGenerator
from pix2pix_tf.serve.image_request import Limits
from pix2pix_tf.serve.job_queue import Full, JobQueue, Overdue
from pix2pix_tf.serve.log import log_bug
from pix2pix_tf.serve.prometheus import RequestCounters
from pix2pix_tf.system.errors import DataError, UsageError

PAGE_FILES = {
    'index.html': 'text/html; charset=utf-8',
    'draw.js': 'text/javascript; charset=utf-8',
    'style.css': 'text/css; charset=utf-8',
}

# A request for the endpoint NAME is answered by `Application._NAME`
_ROUTES = Map(
    [
        Rule('/', endpoint='page', methods=['GET'], defaults={'file': 'index.html'}),
        Rule('/<any("draw.js", "style.css"):file>', endpoint='page', methods=['GET']),
        Rule('/model.json', endpoint='model', methods=['GET']),
        Rule('/examples/<int:number>.png', endpoint='example', methods=['GET']),
        Rule('/predict', endpoint='predict', methods=['POST']),
        Rule('/healthz', endpoint='health', methods=['GET']),
        Rule('/metrics', endpoint='metrics', methods=['GET']),
        *(
            Rule(f'/v1/models/<name>{version}{path}', endpoint=endpoint, methods=[method])
            for version in ('', '/versions/<int:version>')
            for path, endpoint, method in (
                ('', 'status', 'GET'),
                ('/metadata', 'metadata', 'GET'),
                (':predict', 'rest_predict', 'POST'),
            )
        ),
    ],
    strict_slashes=False,
    redirect_defaults=False,
)
_PARAMETERS = ('seed', 'fit')  # of /predict
_PUBLIC = ('page', 'health')  # endpoints without a token: they reveal nothing about the model
_POLICY = "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'"
_HEADERS = {
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
}


class Application:
    """The endpoints, as a WSGI callable; `name` is that of the model in addresses."""

    def __init__(
        self,
        name: str,
        current: CurrentGenerator,
        canvas: Canvas,
        jobs: JobQueue,
        limits: Limits,
        allowed: Access,
    ) -> None:
        self.name, self.current, self.canvas = name, current, canvas
        self.jobs, self.limits, self.access = jobs, limits, allowed
        policy = f'{_POLICY}; frame-ancestors {allowed.frame}'
        self.headers = {'Content-Security-Policy': policy, **_HEADERS}
        self.counters = RequestCounters(jobs.waiting, lambda: current.generator.step)

    def __call__(self, environ: dict, start_response: Any) -> Iterable[bytes]:
        with Request(environ) as request:
            return self._respond(request)(environ, start_response)

    def _respond(self, request):
        """The Response to any request, which it also counts."""
        start = time.monotonic()
        endpoint = 'other'
        try:
            access.check_host(request, self.access)
            access.check_origin(request, self.access)
            if request.method == 'OPTIONS':
                response = Response(status=204)
            else:
                endpoint, values = _ROUTES.bind_to_environ(request.environ).match()
                if endpoint not in _PUBLIC:
                    access.check_token(request, self.access)
                if (request.content_length or 0) > self.limits.body:
                    raise exceptions.RequestEntityTooLarge('the body is too long')
                request = _decompressed(request, self.limits.body)
                response = getattr(self, f'_{endpoint}')(request, **values)
        except Exception as error:
            response = _error_response(error)
        response.headers.extend(self.headers)
        response.headers.extend(access.cors_headers(request, self.access))
        self.counters.count(endpoint, response.status_code, time.monotonic() - start)
        return response

    def _page(self, _, file):
        with open(os.path.join(PAGE, file), 'rb') as page:
            return Response(page.read(), content_type=PAGE_FILES[file])

    def _model(self, _):
        generator = self.current.generator
        description = self.canvas.describe(generator.step)
        return _json(dict(description, name=self.name, noise=generator.has_noise))

    def _example(self, _, number):
        if number >= len(self.canvas.examples):
            raise exceptions.NotFound('there is no such example')
        response = Response(self.canvas.examples[number], mimetype='image/png')
        response.headers['Cache-Control'] = 'no-cache'  # another model has another image here
        return response

    def _health(self, _):
        return _json({'status': 'ok'})

    def _metrics(self, _):
        return Response(self.counters.page(), content_type='text/plain; version=0.0.4')

    def _predict(self, request):
        """POST /predict: an image, or a form with one => a PNG file."""
        request.max_content_length = self.limits.body
        contents, given = _image_and_parameters(request)
        seed = image_request.read_seed(given, self.current.generator.has_noise)
        fit = given.get('fit', 'scale')

        def job():
            generator = self.current.generator
            pixels = image_request.read_pixels(generator, contents, self.limits, fit)
            is_pair = False
            if generator.config.is_rgb_pair:
                image, is_pair = self.canvas.input_of(Image.fromarray(pixels))
                pixels = np.asarray(image)
            output = image_request.compute(generator, pixels, seed, fit)
            return generator.encode(output), generator.step, is_pair

        image, step, is_pair = self.jobs.run(job)
        headers = {'X-Step': step, 'Cache-Control': 'no-store'}
        if seed is not None:
            headers['X-Seed'] = seed
        if is_pair:
            headers['X-Input'] = f'the {self.canvas.input_half} half: the image is a pair'
        return Response(image, headers=headers, mimetype='image/png')

    def _status(self, _, name, version=None):
        return _json(tf_serving.describe_status(self._generator(name, version)))

    def _metadata(self, _, name, version=None):
        return _json(tf_serving.describe_model(self._generator(name, version), name))

    def _rest_predict(self, request, name, version=None):
        body = request.get_data()

        def job():
            generator = self._generator(name, version)
            return json.dumps(tf_serving.predict(generator, body, self.limits))

        return Response(self.jobs.run(job), mimetype='application/json')

    def _generator(self, name: str, version: Any) -> Generator:
        """The current generator, if an address names it."""
        if name != self.name:
            raise exceptions.NotFound(f'there is no model {name[:80]}, but {self.name}')
        generator = self.current.generator
        if version not in (None, generator.step):
            raise exceptions.NotFound(f'there is no version {version}, but {generator.step}')
        return generator


def _decompressed(request: Request, most: int) -> Request:
    """The request with its body decompressed, which then has at most `most` bytes."""
    encoding = request.headers.get('Content-Encoding', 'identity').strip().lower()
    if request.method != 'POST' or encoding in ('', 'identity'):
        return request
    if encoding not in ('gzip', 'x-gzip'):
        raise exceptions.UnsupportedMediaType(
            f'the Content-Encoding is {encoding[:80]}: send gzip, or the body as it is'
        )
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        body = decompressor.decompress(request.get_data(), most + 1)
    except zlib.error as error:
        raise exceptions.BadRequest('the body is not gzip, as its Content-Encoding says') from error
    if len(body) > most:
        raise exceptions.RequestEntityTooLarge('the body is too long')
    if not decompressor.eof or decompressor.unused_data:
        raise exceptions.BadRequest('the body must be one whole gzip stream')
    environ = dict(request.environ, CONTENT_LENGTH=str(len(body)))
    environ['wsgi.input'] = io.BytesIO(body)
    del environ['HTTP_CONTENT_ENCODING']
    return Request(environ)


def _image_and_parameters(request: Request) -> Tuple[bytes, Dict[str, str]]:
    """The bytes of the image in a request, and its parameters: of the address or of its form."""
    fields, images = list(request.args.items(multi=True)), []
    if request.mimetype.startswith('multipart/'):
        try:
            fields += request.form.items(multi=True)
            images = [file.read() for _, file in request.files.items(multi=True)]
        except exceptions.HTTPException:
            raise
        except Exception as error:  # werkzeug 2 raises several kinds for a bad boundary
            raise exceptions.BadRequest('the form cannot be read') from error
        if len(images) > 1:
            raise exceptions.BadRequest(f'the form has {len(images)} files: send one at a time')
    else:
        images = [request.get_data()]
    given: Dict[str, str] = {}
    for name, value in fields:
        if name not in _PARAMETERS:
            raise exceptions.BadRequest(
                f'there is no parameter {name[:80]}: the parameters are {", ".join(_PARAMETERS)}, '
                'and in a form one file'
            )
        if given.setdefault(name, value) != value:
            raise exceptions.BadRequest(f'{name} has several values: send one')
    return b''.join(images), given


def _error_response(error):
    """The Response for an exception; a bug is logged instead of shown to the client."""
    headers = {}
    if isinstance(error, Full):
        status, message = 503, 'too many requests are waiting: try again'
        headers['Retry-After'] = '1'
    elif isinstance(error, Overdue):
        status, message = 504, 'the request took too long'
    elif isinstance(error, (DataError, UsageError)):
        status, message = 400, str(error)
    elif isinstance(error, exceptions.HTTPException) and error.code:
        status, message = error.code, error.name
        if error.description != type(error).description:  # not werkzeug's, which is longer
            message = error.description
        if isinstance(error, exceptions.MethodNotAllowed):
            headers['Allow'] = ', '.join(sorted(error.valid_methods or []))
        if isinstance(error, exceptions.Unauthorized):
            headers['WWW-Authenticate'] = 'Bearer'
    else:
        log_bug(error)
        status, message = 500, 'the server failed: see its output'
    response = _json({'error': message}, status)
    response.headers.extend(headers)
    return response


def _json(values, status=200):
    return Response(json.dumps(values), status, mimetype='application/json')
