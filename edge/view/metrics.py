"""The stations for Prometheus: read from their tallies whenever somebody looks, and never counted twice."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

from edge.view.histogram import EDGES_MS, Histogram
from edge.view.watch import State, Watch

_Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


def registry(watches: Sequence[Watch]) -> CollectorRegistry:
    """The stations, and this process's memory and CPU time."""
    found = CollectorRegistry()
    found.register(_Stations(watches))
    ProcessCollector(registry=found)
    return found


class _Stations(Collector):
    def __init__(self, watches: Sequence[Watch]) -> None:
        self._watches = watches

    @override
    def collect(self) -> Iterator[_Family]:
        yield from _parts(self._watches)
        yield from _times(self._watches)
        yield from _states(self._watches)
        yield from _cameras(self._watches)
        yield from _models(self._watches)


def _parts(watches: Sequence[Watch]) -> Iterator[_Family]:
    parts = CounterMetricFamily(
        "loupe_edge_parts", "Parts by outcome and reason", labels=("station", "outcome", "reason")
    )
    triggers = CounterMetricFamily("loupe_edge_triggers", "Parts that got a number", labels=("station",))
    kept = CounterMetricFamily("loupe_edge_outcomes_kept", "Outcomes on the disk", labels=("station",))
    refusals = CounterMetricFamily(
        "loupe_edge_ledger_refusals", "Rows that the ledger did not take", labels=("station",)
    )
    alarms = CounterMetricFamily("loupe_edge_alarms", "What a person should look at", labels=("station",))
    for watch in watches:
        name, tally = watch.station.name, watch.board.tally
        for (outcome, reason), count in tally.parts.items():
            parts.add_metric((name, outcome, reason), count)
        for family, value in (
            (triggers, tally.triggers),
            (kept, tally.kept),
            (refusals, watch.station.refusals),
            (alarms, tally.alarmed),
        ):
            family.add_metric((name,), value)
    yield from (parts, triggers, kept, refusals, alarms)


def _times(watches: Sequence[Watch]) -> Iterator[_Family]:
    decided = HistogramMetricFamily(
        "loupe_edge_decision_seconds", "From the trigger to the verdict", labels=("station",)
    )
    driven = HistogramMetricFamily(
        "loupe_edge_gate_seconds", "From the trigger to the output's move", labels=("station",)
    )
    due = GaugeMetricFamily("loupe_edge_due_seconds", "From the trigger to the gate", labels=("station",))
    for watch in watches:
        name, tally = watch.station.name, watch.board.tally
        decided.add_metric((name,), _buckets(tally.decided), sum_value=tally.decided.sum_ms / 1e3)
        driven.add_metric((name,), _buckets(tally.driven), sum_value=tally.driven.sum_ms / 1e3)
        due.add_metric((name,), watch.due_ms / 1e3)
    yield from (decided, driven, due)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    edges = [*(str(edge / 1e3) for edge in EDGES_MS), "+Inf"]
    return list(zip(edges, map(float, accumulate(histogram.counts)), strict=True))


def _states(watches: Sequence[Watch]) -> Iterator[_Family]:
    up = GaugeMetricFamily("loupe_edge_station_up", "1 while the station runs", labels=("station",))
    devices = GaugeMetricFamily(
        "loupe_edge_device_up", "1 while the device does what it is for", labels=("station", "device")
    )
    for watch in watches:
        up.add_metric((watch.station.name,), watch.state() == State.RUNNING)
        for device, health in watch.station.health().items():
            if health.well is not None:
                devices.add_metric((watch.station.name, device), health.well)
    yield from (up, devices)


def _cameras(watches: Sequence[Watch]) -> Iterator[_Family]:
    counted = CounterMetricFamily(
        "loupe_edge_camera", "Frames and packets by what became of them", labels=("station", "camera", "what")
    )
    for watch in watches:
        for camera, counts in watch.station.camera_counts().items():
            for what, count in counts.items():
                counted.add_metric((watch.station.name, camera, what), count)
    yield counted


def _models(watches: Sequence[Watch]) -> Iterator[_Family]:
    labels = ("station", "model", "bundle")
    certified = GaugeMetricFamily(
        "loupe_edge_certified", "1 while a certificate in force covers the model's verdicts", labels=labels
    )
    capital = GaugeMetricFamily(
        "loupe_edge_drift_log_capital", "Evidence of drift; natural logarithm", labels=labels
    )
    alarm = GaugeMetricFamily("loupe_edge_drift_alarm", "1 once the parts have drifted", labels=labels)
    for watch in watches:
        for bundle, model in watch.board.tally.models.items():
            key = (watch.station.name, model.name, bundle)
            certified.add_metric(key, model.certified)
            if model.drift is not None:
                capital.add_metric(key, model.drift.log_capital)
                alarm.add_metric(key, model.drift.alarm)
    yield from (certified, capital, alarm)
