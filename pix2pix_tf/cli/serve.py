"""Serves a trained generator over HTTP, with a page to draw inputs on.

The page is at /. POST /predict takes an image and returns a PNG file. /v1/models/NAME is the REST
API of TensorFlow Serving, /metrics is for Prometheus, /healthz for health checks. Other machines
can reach the server only with --host.
"""

import os

from absl import flags

from pix2pix_tf.cli import common
from pix2pix_tf.system.errors import UsageError

TOKEN = 'PIX2PIX_TOKEN'  # environment variable
_DAY = 24 * 60 * 60  # in seconds

FLAGS = flags.FlagValues()
flags.DEFINE_string('model', 'out/facades', common.MODEL, flag_values=FLAGS)
flags.DEFINE_string(
    'host', '127.0.0.1', 'Address to listen on; 0.0.0.0: all addresses.', flag_values=FLAGS
)
flags.DEFINE_integer('port', 8000, 'Port to listen on; 0: a free one.', flag_values=FLAGS)
flags.DEFINE_string(
    'token',
    None,
    f'Clients must send "Authorization: Bearer TOKEN"; also from the environment variable {TOKEN}.',
    flag_values=FLAGS,
)
flags.DEFINE_string(
    'name',
    None,
    'Name of the model in addresses; by default the name of its folder.',
    flag_values=FLAGS,
)
flags.DEFINE_list(
    'names',
    [],
    'Names by which clients reach this server, besides localhost; *.example.org: all below it.',
    flag_values=FLAGS,
)
flags.DEFINE_list(
    'cors',
    [],
    'Origins of other pages that may use the server, such as https://example.org; *: all.',
    flag_values=FLAGS,
)
flags.DEFINE_string(
    'frame',
    None,
    'Origin of a page that may show this one in a frame, such as https://example.org.',
    flag_values=FLAGS,
)
flags.DEFINE_boolean('watch', False, 'Loads newer checkpoints as they appear.', flag_values=FLAGS)
flags.DEFINE_boolean(
    'open', False, 'Opens the page in a browser, if this machine has a display.', flag_values=FLAGS
)
flags.DEFINE_integer('queue', 16, 'Requests that may wait; others get a 503.', flag_values=FLAGS)
flags.DEFINE_float(
    'seconds', 60, 'Time for a request; after that it gets a 504.', flag_values=FLAGS
)
flags.DEFINE_integer('max_pixels', 2**24, 'Pixels of the largest image.', flag_values=FLAGS)
flags.DEFINE_string(
    'data',
    None,
    "Folder of training images, for the palette of the page; by default the training's own.",
    flag_values=FLAGS,
)
common.define_dropout_at_test(FLAGS)
common.define_changes(FLAGS, ('crop_size', 'xla', 'mixed_precision', 'memory_growth'))


def main() -> None:
    changes = common.given_changes(FLAGS)
    for name, least in (('queue', 0), ('seconds', 1), ('max_pixels', 1), ('port', 0)):
        if not FLAGS[name].value >= least:  # also if it is nan
            raise UsageError(f'`{name}` is {FLAGS[name].value}: it must be at least {least}')
    if FLAGS.seconds > _DAY:
        raise UsageError(f'`seconds` is {FLAGS.seconds}: it must be at most {_DAY}, a day')
    if FLAGS.port > 65535:
        raise UsageError(f'`port` is {FLAGS.port}: it must be at most 65535')
    token = FLAGS.token or os.environ.get(TOKEN) or None
    if token and not all(' ' < character <= '~' for character in token):
        raise UsageError('`token` must consist of ASCII letters, digits and signs, without blanks')
    common.require('serve', 'prometheus_client', 'waitress', 'werkzeug')
    access = _read_access(common.load('serve.access', FLAGS.model), token)
    server = common.load('serve.server', FLAGS.model)
    name = FLAGS.name or common.model_name(FLAGS.model)
    limits = server.Limits(pixels=FLAGS.max_pixels, queue=FLAGS.queue, seconds=FLAGS.seconds)
    server.serve(FLAGS.model, name, access, limits, FLAGS.data, FLAGS.watch, FLAGS.open, **changes)


def _read_access(access, token):
    """The Access that the flags describe; `access` is its module."""
    names = tuple(access.read_name(name) for name in FLAGS.names)
    origins = tuple(
        one if one in ('*', 'null') else access.read_origin(one, 'cors') for one in FLAGS.cors
    )
    allowed = access.Access(FLAGS.host, FLAGS.port, names, token, origins)
    if FLAGS.frame is None:
        return allowed
    return allowed._replace(frame=access.read_origin(FLAGS.frame, 'frame'))
