"""What Prometheus can read at /metrics."""

import typing

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Meters:
    """Counts and times of the requests; `queue` and `step` are asked when somebody reads them."""

    def __init__(self, queue: typing.Callable[[], float], step: typing.Callable[[], float]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            'pix2pix_requests',
            'Requests answered',
            ['endpoint', 'status'],
            registry=self._registry,
        )
        self._seconds = Histogram(
            'pix2pix_request_seconds',
            'Seconds that the answer to a request took',
            ['endpoint'],
            registry=self._registry,
            buckets=(0.01, 0.03, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
        )
        gauges = (
            ('pix2pix_queue', 'Requests that wait for the generator', queue),
            ('pix2pix_model_step', 'Step of the training that answers', step),
        )
        for name, words, value in gauges:
            Gauge(name, words, registry=self._registry).set_function(value)

    def count(self, endpoint: str, status: int, seconds: float) -> None:
        """Counts a request."""
        self._requests.labels(endpoint, status).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def page(self) -> bytes:
        """All of them, in the text format."""
        return prometheus_client.generate_latest(self._registry)
