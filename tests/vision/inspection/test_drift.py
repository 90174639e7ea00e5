"""Parts that stay the same raise an alarm with at most the asked probability; parts that change soon raise one."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from vision.errors import SettingsError
from vision.inspection.drift import BINS, Drift, DriftReference, drift_reference, watch

Draw = Callable[[np.random.Generator, int], np.ndarray]
EDGES: Final = np.random.default_rng(0).gamma(3, size=500)


def smooth(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.gamma(3, size=n)


def tied(rng: np.random.Generator, n: int) -> np.ndarray:
    """Four values alone, as of parts that look all but the same."""
    return rng.choice([1.0, 2.0, 3.0, 8.0], p=[0.5, 0.3, 0.15, 0.05], size=n)


def begin(rng: np.random.Generator, draw: Draw = smooth, *, parts: int = 100, alpha: float = 0.05) -> Drift:
    """The watch over a line that was calibrated with so many parts."""
    return watch(drift_reference(EDGES, draw(rng, parts)), alpha=alpha, seed=int(rng.integers(2**31)))


def run(state: Drift, distances: Iterable[float]) -> Drift:
    for distance in distances:
        state = state.update(distance)
    return state


def delay(state: Drift, distances: Iterator[float]) -> int:
    """How many parts it takes until the alarm."""
    for count in range(1, 1001):
        state = state.update(next(distances))
        if state.alarm:
            return count
    return 1001


@pytest.mark.parametrize("draw", [smooth, tied])
def test_parts_that_stay_the_same_alarm_no_more_often_than_asked(draw: Draw) -> None:
    rng, alpha, streams = np.random.default_rng(1), 0.05, 400
    alarms = sum(run(begin(rng, draw, alpha=alpha), draw(rng, 1000).tolist()).alarm for _ in range(streams))
    allowed = alpha + 3 * math.sqrt(alpha * (1 - alpha) / streams)
    assert alarms / streams <= allowed, f"{alarms} of {streams} streams alarmed, {allowed:.3f} allowed"


@pytest.mark.parametrize("draw", [smooth, tied])
@pytest.mark.parametrize("parts", [1, 20])
def test_the_capital_is_a_fair_game(draw: Draw, parts: int) -> None:
    rng, streams = np.random.default_rng(2), 2000
    ends = [run(begin(rng, draw, parts=parts), draw(rng, 8).tolist()) for _ in range(streams)]
    capital = np.exp([one.log_capital for one in ends])
    error = capital.std() / math.sqrt(streams)
    assert abs(capital.mean() - 1) < 4 * error, f"mean {capital.mean():.3f} +- {error:.3f}"
    assert error < 0.05


@pytest.mark.parametrize(
    ("shifted", "soon"),
    [
        (lambda rng: rng.gamma(3) + 3, 60),  # farther from the known parts
        (lambda rng: rng.gamma(3) / 3, 60),  # nearer, as when only one kind of part still comes
        (lambda rng: 100.0, 25),  # all of them unlike any part
        (lambda rng: rng.choice([0.0, 100.0]), 60),  # both at once
    ],
    ids=["farther", "nearer", "beyond", "both ends"],
)
def test_parts_that_change_alarm_soon(shifted: Callable[[np.random.Generator], float], soon: int) -> None:
    rng = np.random.default_rng(3)
    delays = []
    for _ in range(40):
        state = run(begin(rng, alpha=0.01), smooth(rng, 100).tolist())
        if not state.alarm:
            delays.append(delay(state, (shifted(rng) for _ in iter(int, 1))))
    assert len(delays) >= 39
    assert max(delays) <= soon, f"up to {max(delays)} parts, {np.median(delays)} in the middle"


@pytest.mark.parametrize("quantile", np.linspace(0.01, 0.99, 15).round(2).tolist())
def test_a_camera_that_shows_one_and_the_same_part_alarms(quantile: float) -> None:
    rng = np.random.default_rng(4)
    stuck = float(np.quantile(EDGES, quantile))
    delays = [delay(begin(rng, alpha=0.01), iter([stuck] * 1001)) for _ in range(10)]
    assert max(delays) <= 40, f"up to {max(delays)} parts"


def test_a_change_after_a_long_quiet_time_still_alarms_soon() -> None:
    rng = np.random.default_rng(5)
    for _ in range(4):
        quiet = run(begin(rng, alpha=0.01), smooth(rng, 5000).tolist())
        assert not quiet.alarm
        assert delay(quiet, (rng.gamma(3) + 3 for _ in iter(int, 1))) <= 120


@settings(deadline=None)
@given(st.lists(st.floats(0, 2), max_size=200), st.integers(0, 2**31))
def test_the_capital_never_falls_below_what_is_kept_in_hand(distances: list[float], seed: int) -> None:
    state = run(watch(drift_reference(EDGES, EDGES[:50]), seed=seed), distances)
    assert state.log_capital >= math.log(1 / (len(distances) + 1)) - 1e-9


def test_the_capital_outgrows_any_float_and_shrinks_again_without_harm() -> None:
    reference = DriftReference(edges=(1.0,), counts=(10**6, 0))
    high = run(watch(reference), [2.0] * 2000)
    assert 800 < high.log_capital < math.inf
    low = run(high, [0.0] * 4000)
    assert -math.inf < low.log_capital < high.log_capital


def test_an_alarm_is_raised_when_the_capital_reaches_one_over_alpha_and_not_before() -> None:
    state = begin(np.random.default_rng(6), alpha=0.01)
    while not state.alarm:
        assert state.log_capital < math.log(100)
        state = state.update(100.0)
    assert state.log_capital >= math.log(100)


def test_an_alarm_stays_however_usual_the_parts_become() -> None:
    rng = np.random.default_rng(6)
    state = run(begin(rng, alpha=0.01), [100.0] * 15)
    assert state.alarm
    state = run(state, smooth(rng, 500).tolist())
    assert state.log_capital < math.log(100)
    assert state.alarm


def test_the_same_parts_give_the_same_state() -> None:
    reference, distances = drift_reference(EDGES, EDGES[:50]), tied(np.random.default_rng(7), 300).tolist()
    one, again = (run(watch(reference, seed=5), distances) for _ in range(2))
    assert one == again
    assert one != run(watch(reference, seed=6), distances), "ties are broken by the seed"


def test_a_state_is_a_value_of_constant_size() -> None:
    before = begin(np.random.default_rng(8))
    after = run(before, [1.0] * 100)
    assert (before.parts, after.parts) == (0, 100)
    assert len(after.counts) == len(before.counts) == len(before.edges) + 1
    assert sum(after.counts) == sum(before.counts) + 100


@pytest.mark.parametrize("distance", [math.nan, math.inf])
def test_a_distance_that_is_no_number_counts_as_far(distance: float) -> None:
    assert begin(np.random.default_rng(9)).update(distance).counts[-1] > 0
    assert delay(begin(np.random.default_rng(9)), iter([distance] * 1001)) <= 25


def test_the_reference_counts_every_part_between_edges_of_others() -> None:
    rng = np.random.default_rng(10)
    reference = drift_reference(EDGES, smooth(rng, 300))
    assert sum(reference.counts) == 300
    assert len(reference.edges) == BINS - 1
    assert drift_reference(np.full(10, 0.5), np.array([0.4, 0.5, 0.6])) == DriftReference(
        edges=(0.5,), counts=(1, 2)
    )


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 2.0, math.nan])
def test_a_probability_of_false_alarm_lies_between_0_and_1(alpha: float) -> None:
    with pytest.raises(SettingsError, match="drift alpha: expected a value between 0 and 1"):
        watch(drift_reference(EDGES, EDGES), alpha=alpha)


@pytest.mark.parametrize(
    ("edges", "counts"),
    [
        ((), (1,)),
        ((1.0,), (1,)),
        ((1.0, 2.0), (1, 2)),
        ((2.0, 1.0), (1, 2, 3)),
        ((1.0,), (1, -1)),
        ((math.nan,), (1, 1)),
        ((math.inf,), (1, 1)),
    ],
)
def test_a_reference_that_makes_no_sense_is_refused(
    edges: tuple[float, ...], counts: tuple[int, ...]
) -> None:
    with pytest.raises(ValidationError):
        DriftReference(edges=edges, counts=counts)
