"""Metrics of one server in the Prometheus format."""

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

from hloc_lite.serve.map_pool import MapPool
from hloc_lite.serve.workers import WorkerPool

BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""Upper bounds of the histogram buckets, seconds."""


class Metrics:
    """Counters and histograms of one server, in a registry of its own.

    Labels take few values and never text sent by a client.
    """

    def __init__(self, workers: WorkerPool, map_pool: MapPool) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._registry = registry
        self.requests = Counter(
            "hloc_lite_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "hloc_lite_request_seconds",
            "Time from a request's headers to the end of its response.",
            ["route"],
            buckets=BUCKETS_S,
            registry=registry,
        )
        self.refused = Counter(
            "hloc_lite_refused", "Requests refused, by error code.", ["code"], registry=registry
        )
        self.results = Counter(
            "hloc_lite_results",
            "Localization results, by map and status.",
            ["map", "status"],
            registry=registry,
        )
        self.stages = Histogram(
            "hloc_lite_stage_seconds",
            "Wall time of each localization stage of a photo.",
            ["stage"],
            buckets=BUCKETS_S,
            registry=registry,
        )
        waiting = Gauge("hloc_lite_waiting", "Photos waiting for a worker.", registry=registry)
        waiting.set_function(lambda: workers.waiting)
        running = Gauge("hloc_lite_running", "Photos being localized.", registry=registry)
        running.set_function(lambda: workers.running)
        hung = Gauge("hloc_lite_hung", "Photos whose hung thread was replaced.", registry=registry)
        hung.set_function(lambda: workers.hung)
        opened = Gauge("hloc_lite_maps_open", "Maps that are open.", registry=registry)
        opened.set_function(lambda: len(map_pool.opened_maps()))

    def render(self) -> bytes:
        """Return all metrics in version 0.0.4 of the Prometheus text format."""
        return generate_latest(self._registry)
