"""The page /metrics for Prometheus: counts and times of requests."""

from typing import Callable

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class RequestCounters:
    """Counts and times of requests; `queue` and `step` are called when /metrics is scraped."""

    def __init__(self, queue: Callable[[], float], step: Callable[[], float]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            'pix2pix_requests',
            'Requests answered',
            ['endpoint', 'status'],
            registry=self._registry,
        )
        self._seconds = Histogram(
            'pix2pix_request_seconds',
            'Seconds from a request to its response',
            ['endpoint'],
            registry=self._registry,
            buckets=(0.01, 0.03, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
        )
        gauges = (
            ('pix2pix_queue', 'Requests that wait for the generator', queue),
            ('pix2pix_model_step', 'Training step of the current generator', step),
        )
        for name, meaning, value in gauges:
            Gauge(name, meaning, registry=self._registry).set_function(value)

    def count(self, endpoint: str, status: int, seconds: float) -> None:
        """Counts a request."""
        self._requests.labels(endpoint, status).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def page(self) -> bytes:
        """All values in Prometheus's text format."""
        return prometheus_client.generate_latest(self._registry)
