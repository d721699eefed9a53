"""`pix2pix-serve`: puts a model behind the server, and ends it."""

import threading
import typing
import urllib.parse

from pix2pix_tf.inference import trained
from pix2pix_tf.serve import app, canvas, server
from pix2pix_tf.serve.guard import Access
from pix2pix_tf.serve.incoming import Limits
from pix2pix_tf.serve.job_queue import JobQueue
from pix2pix_tf.serve.models import Models
from pix2pix_tf.system import machine, signals
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import with_flags

WATCH_SECONDS = 2  # between two looks for a newer checkpoint


class Place(typing.NamedTuple):
    """Where and as what a model is served."""

    host: str = '127.0.0.1'
    port: int = 8000
    name: str = 'pix2pix'
    data: typing.Optional[str] = None  # folder of training images, for the page
    watch: bool = False


def serve(
    model: str,
    place: Place = Place(),
    limits: Limits = Limits(),
    access: Access = Access(),
    **changes: typing.Any,
) -> None:
    """Serves `model` until SIGINT, SIGTERM or SIGHUP; `changes` are those of `pix2pix_tf.load`.

    Raises:
        Pix2PixError: there is no model, or the address cannot be used.
    """
    drawn = canvas.prepare(trained.find(model, **changes), place.data)
    models = Models(model, **changes)
    workers = machine.cores() + 1  # one reads and writes while the others compute
    jobs = JobQueue(workers, limits.queue, limits.seconds)
    names = (place.host, *access.names)
    answer = app.create(place.name, models, drawn, jobs, limits, access._replace(names=names))
    listening = server.listen(answer, place.host, place.port, workers, limits)
    with signals.stopping_on_signals(print_line, 'finishing the requests') as stop:
        if place.watch:
            threading.Thread(
                target=models.watch, args=(WATCH_SECONDS, stop), name='watch', daemon=True
            ).start()
        for words in _greeting(model, models, place._replace(port=listening.port), access):
            print_line(with_flags(words))
        server.run(listening, stop, limits.seconds)
        jobs.close()
        models.close()


def _greeting(model, models, place, access):
    with models.newest() as generator:
        step = generator.step
    if not server.is_loopback(place.host) and access.token is None:
        yield (
            f'warning: everybody who can reach {place.host} can use this server: set a `token`, '
            'and put a proxy with TLS in front of it'
        )
    host = f'[{place.host}]' if ':' in place.host else place.host
    suffix = f'#token={urllib.parse.quote(access.token, safe="")}' if access.token else ''
    yield f'serving {model}, step {step}, at http://{host}:{place.port}/{suffix}'
