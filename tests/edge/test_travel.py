"""How far a belt has travelled, from a register that wraps around."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.travel import Travel


def travelled(*readings: tuple[float, int], modulo: int = 100, most: int = 40) -> Travel:
    travel = Travel(modulo, most=most)
    for at_s, count in readings:
        travel.read(at_s, count)
    return travel


@pytest.mark.parametrize(
    ("readings", "now"),
    [
        ([], 0),
        ([(0.0, 70)], 0),  # positions are counted from the first reading
        ([(0.0, 90), (0.1, 10)], 20),  # wraps around
        ([(0.0, 10), (0.1, 90)], -20),  # a belt that jogs back
        ([(0.0, 0), (0.1, 40), (0.2, 80), (0.3, 20)], 120),
    ],
)
def test_the_position_goes_on_where_the_register_begins_anew(
    readings: list[tuple[float, int]], now: int
) -> None:
    assert travelled(*readings).now == now


def test_between_two_readings_the_belt_is_taken_to_run_evenly() -> None:
    travel = travelled((1.0, 0), (1.1, 20))
    assert travel.at(1.025) == pytest.approx(5)
    assert travel.at(1.0) == 0
    assert travel.at(0.9) is None
    assert travel.when(15) == pytest.approx(1.075)
    assert travel.when(30) == pytest.approx(1.15), "as it runs now"


def test_a_belt_that_stands_or_runs_back_comes_to_no_place() -> None:
    assert travelled((0.0, 5), (0.1, 5)).when(1) == float("inf")
    assert travelled((0.0, 5), (0.1, 3)).when(1) == float("inf")


def test_a_step_longer_than_the_way_to_the_gate_is_a_leap_after_which_positions_begin_anew() -> None:
    travel = travelled((0.0, 0), (0.1, 10))
    assert travel.read(0.2, 60) == -50
    assert travel.at(0.15) is None
    assert travel.read(0.3, 70) is None
    assert travel.at(0.25) == pytest.approx(travel.now - 5)


def test_where_the_belt_was_while_nobody_read_is_not_known() -> None:
    travel = travelled((0.0, 0), (0.1, 10), (1.0, 20))
    assert travel.at(0.5) is None
    assert travel.when(15) == 0.1, "it may have passed at once"


@given(
    steps=st.lists(st.tuples(st.floats(0.001, 0.1), st.integers(-30, 30)), min_size=1, max_size=60),
    begins_at=st.integers(0, 99),
)
def test_whatever_steps_the_register_takes_the_position_is_their_sum(
    steps: list[tuple[float, int]], begins_at: int
) -> None:
    travel, at_s, true = travelled((0.0, begins_at)), 0.0, 0
    for seconds, step in steps:
        at_s, true = at_s + seconds, true + step
        assert travel.read(at_s, (begins_at + true) % 100) is None
        assert travel.now == true
        assert travel.at(at_s) == pytest.approx(true)
