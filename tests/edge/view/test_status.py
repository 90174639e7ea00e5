"""What the page is told of a station."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ledger import Outcome
from edge.link import Health
from edge.parts import Step
from edge.view.board import Board
from edge.view.status import station_status
from edge.view.watch import Watch
from tests.edge.view.parts import finished


@dataclass
class FakeStation:
    name: str = "infeed"
    beaten_s: float | None = math.inf  # just now, whatever the time is
    refusals: int = 0
    devices: dict[str, Health] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    def health(self) -> Mapping[str, Health]:
        return self.devices

    def camera_counts(self) -> Mapping[str, Mapping[str, int]]:
        return self.counts


def watch(board: Board, station: FakeStation | None = None, *, ended: str | None = None) -> Watch:
    return Watch(station=station or FakeStation(), board=board, due_ms=250.0, ended=lambda: ended)


def status(board: Board, station: FakeStation | None = None, *, ended: str | None = None) -> dict[str, Any]:
    """As it comes out of the wire."""
    told = station_status(watch(board, station, ended=ended))
    read: dict[str, Any] = json.loads(json.dumps(told, allow_nan=False))
    return read


def test_before_the_first_part_there_is_neither_a_verdict_nor_a_yield() -> None:
    told = status(Board())
    assert told["last"] is None
    assert told["counts"]["start"]["yield"] is None
    assert told["latency"]["decided"] == {"counts": [0] * 25, "p50_ms": None, "p99_ms": None, "max_ms": None}
    assert told["ledger"]["balanced"]


def test_the_yield_is_what_was_accepted_of_all_parts_whatever_became_of_them() -> None:
    board = Board()
    for part, outcome in enumerate([*Outcome, Outcome.ACCEPT, Outcome.ACCEPT, Outcome.ACCEPT]):
        board.ended(finished(part, outcome))
    counts = status(board)["counts"]
    assert counts["start"] == {
        "accept": 4, "reject": 1, "review": 1, "timeout": 1, "fault": 1, "parts": 8, "yield": 0.5,
    }  # fmt: skip
    assert counts["hour"] == counts["hundred"] == counts["start"]


def test_of_the_last_hundred_older_parts_are_no_part() -> None:
    board = Board()
    for part in range(250):
        board.ended(finished(part, Outcome.REJECT if part < 200 else Outcome.ACCEPT))
    hundred = status(board)["counts"]["hundred"]
    assert (hundred["accept"], hundred["reject"], hundred["yield"]) == (50, 50, 0.5)


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=60))
def test_every_time_has_its_bin_and_the_due_time_ends_the_twentieth(times: list[float]) -> None:
    board = Board()
    for part, ms in enumerate(times):
        board.ended(finished(part, decided_ms=ms))
    latency = status(board)["latency"]
    assert sum(latency["decided"]["counts"]) == len(times)
    assert sum(latency["decided"]["counts"][:20]) == sum(ms < 250 for ms in times)
    assert latency["decided"]["max_ms"] == max(times)
    assert latency["decided"]["p50_ms"] <= latency["decided"]["p99_ms"] <= max(times)


def test_numbers_that_json_does_not_know_are_left_out() -> None:
    board = Board()
    one = finished(1)
    board.ended(replace(one, ended=replace(one.ended, probability=math.nan)))
    assert status(board)["last"]["probability"] is None


def test_a_device_says_what_it_last_said_and_since_when() -> None:
    noon = datetime(2025, 1, 1, 12, tzinfo=UTC)
    devices = {"camera": Health(well=False, since=noon, error="unplugged"), "output": Health()}
    assert status(Board(), FakeStation(devices=devices))["health"] == [
        {"what": "camera", "well": False, "since": "2025-01-01T12:00:00.000+00:00", "error": "unplugged"},
        {"what": "output", "well": None, "since": None, "error": ""},
    ]


def test_parts_on_their_way_and_those_not_yet_on_the_disk_are_told() -> None:
    board = Board()
    for part in range(3):
        board.step(part, Step.BEGUN)
    board.ended(finished(0))
    board.ended(finished(1))
    board.step(0, Step.ENDED)
    assert status(board)["ledger"] == {
        "triggers": 3, "ended": 2, "on_their_way": 1, "kept": 1, "refusals": 0, "balanced": True,
    }  # fmt: skip


@pytest.mark.parametrize("refusals", [0, 1])
def test_a_ledger_that_lost_a_part_or_refused_one_does_not_balance(refusals: int) -> None:
    board = Board()
    if not refusals:
        board.ended(finished(1))  # an outcome of no trigger
    assert not status(board, FakeStation(refusals=refusals))["ledger"]["balanced"]


@pytest.mark.parametrize(
    ("beaten_s", "ended", "state"),
    [
        (None, None, "starting"),
        (math.inf, None, "running"),
        (-math.inf, None, "silent"),
        (math.inf, "", "ended"),
        (None, "the ledger refused", "ended"),
    ],
)
def test_what_a_station_does(beaten_s: float | None, ended: str | None, state: str) -> None:
    told = status(Board(), FakeStation(beaten_s=beaten_s), ended=ended)
    assert (told["state"], told["error"]) == (state, ended or "")
