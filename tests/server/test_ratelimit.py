"""Nobody gets more than the rate and the burst allow, whoever waits as told gets in, and nobody pays for another."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.auth import Principal
from server.ratelimit import RateLimit

NS = 1_000_000_000
RATES = st.floats(0.01, 10_000)
BURSTS = st.integers(1, 10)
PAUSES_NS = st.lists(st.integers(0, 3 * NS), min_size=1, max_size=20)
STARTS_NS = st.integers(0, 10**18)  # a machine may be up for years


class Clock:
    def __init__(self, now_ns: int = 0) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns


def caller(name: str) -> Principal:
    return Principal(user="ada", roles=frozenset(), token_id=name)


ADA = caller("0123456789abcdef")


@given(rate=RATES, burst=BURSTS, start=STARTS_NS)
def test_a_full_bucket_grants_its_burst_and_no_more(rate: float, burst: int, start: int) -> None:
    limit = RateLimit(rate_per_s=rate, burst=burst, clock=Clock(start))
    assert [limit.take(ADA) for _ in range(burst)] == [0] * burst
    assert limit.take(ADA) > 0


@settings(deadline=None)
@given(rate=RATES, burst=BURSTS, pauses=PAUSES_NS, start=STARTS_NS)
def test_in_no_stretch_of_time_is_more_granted_than_burst_and_rate_allow(
    rate: float, burst: int, pauses: list[int], start: int
) -> None:
    clock = Clock(start)
    limit = RateLimit(rate_per_s=rate, burst=burst, clock=clock)
    granted_at = []
    for pause in pauses:
        clock.now_ns += pause
        granted_at += [clock.now_ns for _ in range(burst + 1) if limit.take(ADA) == 0]
    for (first, begin), (last, end) in itertools.combinations(enumerate(granted_at), 2):
        assert last - first + 1 <= burst + rate * (end - begin) / NS + 1e-6


@settings(deadline=None)
@given(rate=RATES, burst=BURSTS, pauses=PAUSES_NS, start=STARTS_NS)
def test_whoever_waits_as_long_as_told_is_granted_and_no_sooner(
    rate: float, burst: int, pauses: list[int], start: int
) -> None:
    clock = Clock(start)
    limit = RateLimit(rate_per_s=rate, burst=burst, clock=clock)
    for pause in pauses:
        while limit.take(ADA) == 0:
            pass
        wait_ns = round(limit.take(ADA) * NS)
        assert 0 < wait_ns <= math.ceil(NS / rate)
        clock.now_ns += wait_ns - 1
        assert limit.take(ADA) == pytest.approx(1 / NS)
        clock.now_ns += 1
        assert limit.take(ADA) == 0
        clock.now_ns += pause


@given(rate=st.floats(0.1, 100), burst=BURSTS)
def test_asking_in_vain_costs_nothing(rate: float, burst: int) -> None:
    patient, pushing = Clock(), Clock()
    limits = [RateLimit(rate_per_s=rate, burst=burst, clock=clock) for clock in (patient, pushing)]
    for limit in limits:
        for _ in range(burst):
            limit.take(ADA)
    for _ in range(100):
        limits[1].take(ADA)
    assert limits[0].take(ADA) == limits[1].take(ADA)


@given(callers=st.lists(st.sampled_from("abcdefgh"), max_size=200), pauses=st.integers(0, NS))
def test_callers_do_not_pay_for_each_other(callers: list[str], pauses: int) -> None:
    clock = Clock()
    together = RateLimit(rate_per_s=2, burst=3, clock=clock)
    apart = {name: RateLimit(rate_per_s=2, burst=3, clock=clock) for name in callers}
    for name in callers:
        clock.now_ns += pauses
        assert together.take(caller(name)) == apart[name].take(caller(name))


@given(callers=st.lists(st.sampled_from("abcdefgh"), max_size=200), max_buckets=st.integers(1, 5))
def test_no_more_buckets_are_kept_than_allowed(callers: list[str], max_buckets: int) -> None:
    limit = RateLimit(rate_per_s=1, burst=2, clock=Clock(), max_buckets=max_buckets)
    for name in callers:
        limit.take(caller(name))
        assert len(limit) <= max_buckets


@given(others=st.lists(st.sampled_from("abcdefgh"), max_size=200))
def test_whoever_keeps_asking_is_not_forgotten_for_others(others: list[str]) -> None:
    limit = RateLimit(rate_per_s=1, burst=1, clock=Clock(), max_buckets=2)
    assert limit.take(ADA) == 0
    for name in others:
        limit.take(caller(name))
        assert limit.take(ADA) > 0


def test_two_tokens_of_one_user_have_a_bucket_each_and_nobody_in_particular_has_one() -> None:
    limit = RateLimit(rate_per_s=1, burst=1, clock=Clock())
    nobody = Principal(user="anonymous", roles=frozenset())
    assert [limit.take(caller("1")), limit.take(caller("2")), limit.take(nobody)] == [0, 0, 0]
    assert [limit.take(caller("1")), limit.take(caller("2")), limit.take(nobody)] == [1, 1, 1]


def test_a_user_who_is_called_like_a_token_does_not_share_its_bucket() -> None:
    limit = RateLimit(rate_per_s=1, burst=1, clock=Clock())
    assert limit.take(Principal(user="0123456789abcdef", roles=frozenset())) == 0
    assert limit.take(ADA) == 0
