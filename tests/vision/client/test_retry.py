"""Pauses grow, are jittered, and never outlast the deadline."""

import pytest

from vision.client.retry import Attempts, Backoff
from vision.errors import SettingsError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


LONGEST = Backoff(first_s=0.1, longest_s=5.0, draw=lambda: 1.0)


def test_the_longest_pause_doubles_until_its_limit() -> None:
    assert [LONGEST.delay_s(failures) for failures in (1, 2, 3, 6, 7, 10_000)] == [
        0.1,
        0.2,
        0.4,
        3.2,
        5.0,
        5.0,
    ]


def test_the_jitter_is_full() -> None:
    assert Backoff(draw=lambda: 0.0).delay_s(9) == 0
    assert Backoff(first_s=1, draw=lambda: 0.25).delay_s(1) == 0.25
    pauses = [Backoff(first_s=1).delay_s(1) for _ in range(200)]
    assert min(pauses) < 0.2
    assert 0.8 < max(pauses) <= 1


def test_what_the_server_asks_for_is_waited_in_any_case() -> None:
    assert Backoff(draw=lambda: 0.0).delay_s(1, 2.5) == 2.5
    assert LONGEST.delay_s(1, 2.5) == 2.6


def test_a_pause_that_ends_before_the_deadline_is_taken() -> None:
    clock = Clock()
    attempts = Attempts(1.0, LONGEST, clock=clock)
    assert attempts.pause_s(transient=True, at_least_s=None) == 0.1
    clock.now += 0.9
    assert attempts.left_s() == pytest.approx(0.1)
    assert attempts.pause_s(transient=True, at_least_s=None) is None
    assert attempts.failures == 2


def test_what_time_does_not_mend_is_not_waited_for() -> None:
    attempts = Attempts(10.0, LONGEST, clock=Clock())
    assert attempts.pause_s(transient=False, at_least_s=0.1) is None
    assert attempts.failures == 1


def test_time_left_is_never_negative() -> None:
    clock = Clock()
    attempts = Attempts(1.0, LONGEST, clock=clock)
    clock.now += 5
    assert attempts.left_s() == 0


@pytest.mark.parametrize("deadline_s", [0, -1, float("nan"), float("inf")])
def test_a_deadline_that_is_no_time_is_refused(deadline_s: float) -> None:
    with pytest.raises(SettingsError, match="deadline_s: expected a positive, finite number of seconds"):
        Attempts(deadline_s, LONGEST)
