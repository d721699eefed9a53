"""Serves a trained generator over HTTP, with a page to draw inputs on.

The page is at /. POST /predict takes an image and returns a PNG. /v1/models/NAME is the REST API of
TensorFlow Serving, /metrics is for Prometheus, /healthz for health checks. Other machines can reach
the server only with --host.
"""

import os

from absl import flags

from pix2pix_tf import config
from pix2pix_tf.cli import common
from pix2pix_tf.system.errors import Pix2PixError, UsageError

TOKEN = 'PIX2PIX_TOKEN'  # environment variable

FLAGS = flags.FlagValues()
flags.DEFINE_string(
    'model',
    'out/facades',
    'Folder of a training, a checkpoint, or a SavedModel that pix2pix-convert has written.',
    flag_values=FLAGS,
)
flags.DEFINE_string(
    'host', '127.0.0.1', 'Address to listen on; 0.0.0.0 stands for all of them.', flag_values=FLAGS
)
flags.DEFINE_integer('port', 8000, 'Port to listen on; 0: a free one.', flag_values=FLAGS)
flags.DEFINE_string(
    'token',
    None,
    f'What clients must send as "Authorization: Bearer TOKEN"; also as {TOKEN} in the environment.',
    flag_values=FLAGS,
)
flags.DEFINE_string(
    'name',
    None,
    'Name of the model in addresses; by default its folder.',
    flag_values=FLAGS,
)
flags.DEFINE_list(
    'names', [], 'Names by which clients reach this server, besides localhost.', flag_values=FLAGS
)
flags.DEFINE_list(
    'cors',
    [],
    'Origins of other pages that may use it, such as https://example.org; *: all.',
    flag_values=FLAGS,
)
flags.DEFINE_boolean('watch', False, 'Loads newer checkpoints as they appear.', flag_values=FLAGS)
flags.DEFINE_integer('queue', 16, 'Requests that may wait; more get a 503.', flag_values=FLAGS)
flags.DEFINE_float('seconds', 60, 'Time for a request; then it gets a 504.', flag_values=FLAGS)
flags.DEFINE_integer('max_pixels', 2**24, 'Pixels of the largest image.', flag_values=FLAGS)
flags.DEFINE_string(
    'data',
    None,
    'Folder of training images, for the palette of the page; by default that of the training.',
    flag_values=FLAGS,
)
common.define_option_flags(
    FLAGS,
    [
        option._replace(default=None)
        for option in config.OPTIONS
        if option.name in ('crop_size', 'xla', 'mixed_precision', 'memory_growth')
    ],
)


def main() -> None:
    """Runs the command."""
    changes = {n: v for n, v in common.option_values(FLAGS).items() if v is not None}
    for name, value in changes.items():
        config.check(name, value)
    for name, least in (('queue', 0), ('seconds', 1), ('max_pixels', 1), ('port', 0)):
        if FLAGS[name].value < least:
            raise UsageError(f'`{name}` is {FLAGS[name].value}: it must be at least {least}')
    token = FLAGS.token or os.environ.get(TOKEN) or None
    require_waitress()
    serve = common.load('serving.serve')
    limits = serve.Limits(pixels=FLAGS.max_pixels, queue=FLAGS.queue, seconds=FLAGS.seconds)
    access = serve.Access(tuple(FLAGS.names), token, tuple(FLAGS.cors))
    name = FLAGS.name or os.path.basename(os.path.abspath(FLAGS.model))
    place = serve.Place(FLAGS.host, FLAGS.port, name, FLAGS.data, FLAGS.watch)
    serve.serve(FLAGS.model, place, limits, access, **changes)


def require_waitress() -> None:
    """Checks for the packages of the server.

    Raises:
        Pix2PixError: one is missing.
    """
    try:
        import prometheus_client  # noqa: F401
        import waitress  # noqa: F401
        import werkzeug  # noqa: F401
    except ImportError as error:
        raise Pix2PixError(f'{error}: install pix2pix-tf[serve], or see `make setup`') from error
