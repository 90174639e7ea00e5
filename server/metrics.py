"""What the server counts, for Prometheus.

A registry of its own, so that several servers in one process (tests) do not meet.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """All of the server's counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = Histogram(
            "loupe_call_seconds",
            "Calls by method and status",
            ("method", "code"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._stages = Histogram(
            "loupe_stage_seconds", "Time of an inspection by stage: queue, decode, model", ("model", "stage"), buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self._batches = Histogram(
            "loupe_batch_size", "Pictures that shared a run, seen by each of them", ("model",), buckets=(1, 2, 4, 8, 16, 32),
            registry=self.registry,
        )  # fmt: skip
        self._verdicts = Counter(
            "loupe_verdicts",
            "Verdicts by decision and reason",
            ("model", "decision", "reason"),
            registry=self.registry,
        )
        self._placed = Counter(
            "loupe_categorizations", "Products placed, by status", ("model", "status"), registry=self.registry
        )
        self._unkept = Counter(
            "loupe_results_unkept", "Answers given whose result could not be kept", registry=self.registry
        )
        self._loads = Counter(
            "loupe_model_loads", "Loads of models by outcome", ("outcome",), registry=self.registry
        )

        self._reported = Counter(
            "loupe_station_results",
            "Parts that stations reported and that were not kept before, by outcome",
            ("station", "outcome"),
            registry=self.registry,
        )
        self._refused = Counter(
            "loupe_station_results_refused",
            "Parts that stations reported and that cannot be kept",
            ("station",),
            registry=self.registry,
        )
        self._seen = Gauge(
            "loupe_station_seen_timestamp_seconds",
            "When a station was last heard of",
            ("station",),
            registry=self.registry,
        )

    def call(self, method: str, code: str, seconds: float) -> None:
        self._calls.labels(method, code).observe(seconds)

    def verdict(self, model: str, *, decision: str, reason: str) -> None:
        """Count an answer; `model` is empty where the fallback gave it."""
        self._verdicts.labels(model, decision, reason).inc()

    def placed(self, model: str, status: str) -> None:
        """Count a product that was placed."""
        self._placed.labels(model, status).inc()

    def batch(self, model: str, pictures: int) -> None:
        self._batches.labels(model).observe(pictures)

    def stage(self, model: str, stage: str, milliseconds: float) -> None:
        self._stages.labels(model, stage).observe(milliseconds / 1e3)

    def watch_inside(self, count: Callable[[], Mapping[str, int]]) -> None:
        """Have the requests inside counted, by model, whenever somebody looks."""
        self.registry.register(_Inside(count))

    def unkept(self) -> None:
        self._unkept.inc()

    def reported(self, station: str, outcome: str, parts: int) -> None:
        self._reported.labels(station, outcome).inc(parts)

    def report_refused(self, station: str, parts: int) -> None:
        self._refused.labels(station).inc(parts)

    def seen(self, station: str, at: datetime) -> None:
        self._seen.labels(station).set(at.timestamp())

    def load(self, *, succeeded: bool) -> None:
        self._loads.labels("ready" if succeeded else "failed").inc()


class _Inside(Collector):
    """A gauge that is read at the source: set from call to call it would stay where the last one left it."""

    def __init__(self, count: Callable[[], Mapping[str, int]]) -> None:
        self._count = count

    @override
    def collect(self) -> Iterator[GaugeMetricFamily]:
        gauge = GaugeMetricFamily(
            "loupe_requests_inside", "Requests admitted and not answered", labels=("model",)
        )
        for model, requests in self._count().items():
            gauge.add_metric((model,), requests)
        yield gauge
