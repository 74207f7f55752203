"""Counters in the Prometheus format: of one server, in a registry of its own."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from hloc_lite.serve.map_pool import Shelf
from hloc_lite.serve.workers import Workers

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""Upper ends of the histograms' bins."""


class Metrics:
    """What has been asked and answered so far. Labels have few values, never a client's text."""

    def __init__(self, workers: Workers, shelf: Shelf) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._registry = registry
        self.requests = Counter(
            "hloc_lite_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "hloc_lite_request_seconds",
            "From a request's headers to the end of its answer.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self.refused = Counter(
            "hloc_lite_refused", "Requests refused, by the code of the answer.", ["code"],
            registry=registry,
        )  # fmt: skip
        self.results = Counter(
            "hloc_lite_results", "Photos localized or not, in each map.", ["map", "status"],
            registry=registry,
        )  # fmt: skip
        self.stages = Histogram(
            "hloc_lite_stage_seconds",
            "Wall time of each stage of a photo.",
            ["stage"],
            buckets=SECONDS,
            registry=registry,
        )
        waiting = Gauge("hloc_lite_waiting", "Photos waiting for a worker.", registry=registry)
        waiting.set_function(lambda: workers.waiting)
        running = Gauge("hloc_lite_running", "Photos being localized.", registry=registry)
        running.set_function(lambda: workers.running)
        opened = Gauge("hloc_lite_maps_open", "Maps that are open.", registry=registry)
        opened.set_function(lambda: len(shelf.opened()))

    def text(self) -> bytes:
        """All of them, in version 0.0.4 of the text format."""
        return generate_latest(self._registry)
