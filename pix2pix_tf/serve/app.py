"""The server as a WSGI callable: the page, /predict, TensorFlow Serving's REST API, metrics."""

import contextlib
import json
import os
import time
import typing

from werkzeug import exceptions
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from pix2pix_tf.serve import guard, incoming, rest
from pix2pix_tf.serve.canvas import PAGE, Canvas
from pix2pix_tf.serve.guard import Access
from pix2pix_tf.serve.incoming import Limits
from pix2pix_tf.serve.job_queue import Full, JobQueue, Overdue
from pix2pix_tf.serve.meters import Meters
from pix2pix_tf.serve.models import Models
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import DataError, UsageError

PAGE_FILES = {
    '': 'text/html; charset=utf-8',
    'draw.js': 'text/javascript; charset=utf-8',
    'style.css': 'text/css; charset=utf-8',
}

_ANYBODY = ('page', 'health')  # endpoints that need no token: they tell nothing
_HEADERS = {
    'Content-Security-Policy': "default-src 'self'; img-src 'self' blob: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
}


class Application(typing.NamedTuple):
    """What the endpoints need."""

    name: str  # of the model in addresses
    models: Models
    canvas: Canvas
    jobs: JobQueue
    limits: Limits
    access: Access
    meters: Meters


def create(
    name: str, models: Models, canvas: Canvas, jobs: JobQueue, limits: Limits, access: Access
) -> typing.Callable[..., typing.Any]:
    """The WSGI callable for `models`."""

    def step():
        with models.newest() as generator:
            return generator.step

    application = Application(
        name, models, canvas, jobs, limits, access, Meters(jobs.waiting, step)
    )
    rules = _rules()

    @Request.application
    def answer(request: Request) -> Response:
        return _answer(application, rules, request)

    return answer


def _rules():
    version = '/v1/models/<name>'
    numbered = version + '/versions/<int:version>'
    rules = [
        Rule('/', endpoint='page', methods=['GET'], defaults={'file': ''}),
        Rule('/<any("draw.js", "style.css"):file>', endpoint='page', methods=['GET']),
        Rule('/model.json', endpoint='model', methods=['GET']),
        Rule('/examples/<int:number>.png', endpoint='example', methods=['GET']),
        Rule('/predict', endpoint='predict', methods=['POST']),
        Rule('/healthz', endpoint='health', methods=['GET']),
        Rule('/metrics', endpoint='metrics', methods=['GET']),
    ]
    for prefix in (version, numbered):
        rules += [
            Rule(prefix, endpoint='status', methods=['GET']),
            Rule(prefix + '/metadata', endpoint='metadata', methods=['GET']),
            Rule(prefix + ':predict', endpoint='rest_predict', methods=['POST']),
        ]
    return Map(rules, strict_slashes=False, redirect_defaults=False)


def _answer(application, rules, request):
    """The Response to any request, and its count."""
    start = time.monotonic()
    endpoint = 'other'
    try:
        guard.check_host(request, application.access)
        guard.check_origin(request, application.access)
        if request.method == 'OPTIONS':
            response = Response(status=204)
        else:
            adapter = rules.bind_to_environ(request.environ)
            endpoint, values = adapter.match()
            if endpoint not in _ANYBODY:
                guard.check_token(request, application.access)
            if (request.content_length or 0) > application.limits.body:
                raise exceptions.RequestEntityTooLarge('the body is too long')
            response = _ENDPOINTS[endpoint](application, request, **values)
    except Exception as error:
        response = _error_response(error)
    response.headers.extend(_HEADERS)
    response.headers.extend(guard.cors_headers(request, application.access))
    application.meters.count(endpoint, response.status_code, time.monotonic() - start)
    return response


def _error_response(error):
    """The Response for whatever went wrong; what clients cannot know is printed instead."""
    headers = {}
    if isinstance(error, Full):
        status, words = 503, 'too many requests wait already: try again'
        headers['Retry-After'] = '1'
    elif isinstance(error, Overdue):
        status, words = 504, 'this took too long'
    elif isinstance(error, (DataError, UsageError)):
        status, words = 400, str(error)
    elif isinstance(error, exceptions.HTTPException) and error.code:
        status, words = error.code, error.name
        if error.description != type(error).description:  # not werkzeug's, which is longer
            words = error.description
        if isinstance(error, exceptions.MethodNotAllowed):
            headers['Allow'] = ', '.join(sorted(error.valid_methods or []))
        if isinstance(error, exceptions.Unauthorized):
            headers['WWW-Authenticate'] = 'Bearer'
    else:
        print_line(f'a request failed: {type(error).__name__}: {" ".join(str(error).split())}')
        status, words = 500, 'the server failed; its output says why'
    response = _json({'error': words}, status)
    response.headers.extend(headers)
    return response


def _json(values, status=200):
    return Response(json.dumps(values), status, mimetype='application/json')


def _page(_, __, file):
    with open(os.path.join(PAGE, file or 'index.html'), 'rb') as page:
        return Response(page.read(), content_type=PAGE_FILES[file])


def _model(application, _):
    with application.models.newest() as generator:
        return _json(dict(application.canvas.describe(generator.step), name=application.name))


def _example(application, _, number):
    if number >= len(application.canvas.examples):
        raise exceptions.NotFound('there is no such example')
    response = Response(application.canvas.examples[number], mimetype='image/png')
    response.headers['Cache-Control'] = 'no-cache'  # another model has another image here
    return response


def _health(_, __):
    return _json({'status': 'ok'})


def _metrics(application, _):
    return Response(application.meters.page(), content_type='text/plain; version=0.0.4')


def _predict(application, request):
    """POST /predict: an image, or a form with one => a PNG."""
    request.max_content_length = application.limits.body
    contents = _contents(request)
    settings = incoming.read_settings(request.args)

    def job():
        with application.models.newest() as generator:
            pixels = incoming.read_pixels(generator, contents, settings, application.limits)
            output = incoming.compute(generator, pixels, settings)
            return generator.encode(output), generator.step

    image, step = application.jobs.run(job)
    headers = {'X-Seed': settings.seed, 'X-Step': step, 'Cache-Control': 'no-store'}
    return Response(image, headers=headers, mimetype='image/png')


def _contents(request):
    """The bytes of the image in a request."""
    if not request.mimetype.startswith('multipart/'):
        return request.get_data()
    try:
        return next((file.read() for file in request.files.values()), b'')
    except exceptions.HTTPException:
        raise
    except Exception as error:  # werkzeug 2 raises several kinds for a bad boundary
        raise exceptions.BadRequest('the form cannot be read') from error


def _status(application, _, name, version=None):
    with _chosen(application, name, version) as generator:
        return _json(rest.describe_status(generator))


def _metadata(application, _, name, version=None):
    with _chosen(application, name, version) as generator:
        return _json(rest.describe_model(generator, name))


def _rest_predict(application, request, name, version=None):
    body = request.get_data()

    def job():
        with _chosen(application, name, version) as generator:
            return json.dumps(rest.predict(generator, body, application.limits))

    return Response(application.jobs.run(job), mimetype='application/json')


@contextlib.contextmanager
def _chosen(application, name, version):
    """The generator, if it is the one that an address names."""
    if name != application.name:
        raise exceptions.NotFound(f'there is no model {name[:80]}, but {application.name}')
    with application.models.newest() as generator:
        if version not in (None, generator.step):
            raise exceptions.NotFound(f'there is no version {version}, but {generator.step}')
        yield generator


_ENDPOINTS = {
    'page': _page,
    'model': _model,
    'example': _example,
    'predict': _predict,
    'health': _health,
    'metrics': _metrics,
    'status': _status,
    'metadata': _metadata,
    'rest_predict': _rest_predict,
}
