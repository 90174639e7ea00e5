"""A station's tally, part by part."""

import threading
import time
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ledger import Outcome
from edge.parts import Finished, Judged, Step
from edge.ports import Shot
from edge.view.board import RECENT, Board
from tests.edge.view.parts import finished
from tests.edge.world import judged
from vision.errors import ImageError

ENDINGS = st.lists(
    st.tuples(st.sampled_from(Outcome), st.sampled_from(["confident", "camera"])), max_size=2 * RECENT
)


class Clocks:
    """A board whose clocks are told the time."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.board = Board(
            wall=lambda: datetime.fromtimestamp(self.now_s, UTC),
            clock=lambda: self.now_s,
        )


@given(ENDINGS)
def test_every_part_is_counted_once(endings: list[tuple[Outcome, str]]) -> None:
    board = Board()
    for part, (outcome, reason) in enumerate(endings, 1):
        board.step(part, Step.BEGUN)
        board.ended(finished(part, outcome, reason))
        board.step(part, Step.ENDED)
    tally = board.tally
    assert tally.parts == Counter(endings)
    assert sum(tally.outcomes.values()) == tally.triggers == tally.kept == len(endings)
    assert [one.outcome for one in tally.recent] == [outcome for outcome, _ in endings][-RECENT:]
    assert sum(tally.driven.counts) == len(endings)


@given(st.lists(st.floats(0, 7200), max_size=80))
def test_an_hour_ago_is_forgotten_to_the_minute(moments_s: list[float]) -> None:
    clocks = Clocks()
    for part, moment in enumerate(sorted(moments_s), 1):
        clocks.now_s = moment
        clocks.board.ended(finished(part))
    found = clocks.board.tally.last_hour(7200.0)[Outcome.ACCEPT]
    assert sum(moment > 3660 for moment in moments_s) <= found <= sum(moment >= 3600 for moment in moments_s)
    assert len(clocks.board.tally.minutes) <= 60


def test_a_tally_that_somebody_holds_does_not_change() -> None:
    board = Board()
    held = board.tally
    board.ended(finished(1))
    board.alarm("camera: unplugged")
    assert (held.outcomes[Outcome.ACCEPT], held.alarms, held.last) == (0, (), None)


def test_the_same_alarm_is_one_and_counted() -> None:
    clocks = Clocks()
    for second in range(3):
        clocks.now_s = float(second)
        clocks.board.alarm(f"camera: frame {second} again")
    clocks.board.alarm("output: refused")
    first, second_kind = clocks.board.tally.alarms
    assert (first.what, first.times, first.first_at.second, first.at.second) == (
        "camera: frame 2 again", 3, 0, 2,
    )  # fmt: skip
    assert second_kind.times == 1
    assert clocks.board.tally.alarmed == 4


def test_many_kinds_of_alarms_are_bounded_and_the_latest_stay() -> None:
    board = Board()
    for letter in range(100):
        board.alarm("x" * letter)
    assert [len(one.what) for one in board.tally.alarms] == list(range(70, 100))


def test_models_are_known_by_what_they_said_last() -> None:
    board = Board()
    for part, bundle in enumerate(["a", "b", "a"]):
        said = Judged(verdict=judged().verdict, bundle=bundle, model=f"{bundle} {part}")
        board.ended(finished(part, said=said))
    assert [(digest, one.name) for digest, one in board.tally.models.items()] == [("b", "b 1"), ("a", "a 2")]


def test_a_part_that_nobody_judged_shows_what_the_camera_saw() -> None:
    board = Board()
    board.ended(Finished(ended=finished(1, Outcome.TIMEOUT, "captured").ended, shots=(Shot(image=b"no"),)))
    last = board.tally.last
    assert last is not None
    assert last.draw is not None
    with pytest.raises(ImageError):
        last.draw()


def test_a_part_costs_the_station_less_than_a_tenth_of_a_millisecond() -> None:
    board, took = Board(), list[float]()
    parts = [finished(part, outcome, "confident") for part in range(400) for outcome in Outcome]
    for one in parts:  # full, as after a shift
        board.ended(one)
        board.alarm(f"{one.ended.outcome}: x")
    for one in parts:
        started = time.perf_counter()
        board.step(1, Step.BEGUN)
        board.ended(one)
        board.step(1, Step.ENDED)
        took.append(time.perf_counter() - started)
    assert sorted(took)[len(took) // 2] < 100e-6


def test_who_looks_from_another_thread_always_sees_a_whole_tally() -> None:
    board, ending, torn = Board(), threading.Event(), list[str]()

    def look() -> None:
        while not ending.is_set():
            tally = board.tally
            if sum(tally.outcomes.values()) != sum(tally.decided.counts):
                torn.append(repr(tally))

    watcher = threading.Thread(target=look)
    watcher.start()
    for part in range(3000):
        board.ended(finished(part, list(Outcome)[part % 5]))
    ending.set()
    watcher.join()
    assert torn == []
