"""The runtime's bound is Clopper and Pearson's: by published values, by counting, and by the statistics library of training."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.inspection.bounds import upper_bound

CONFIDENCES = st.floats(min_value=0.5001, max_value=0.9999)
UNITS = st.integers(min_value=1, max_value=400)
quietly = settings(deadline=None)  # the first call of one imports SciPy, and the machine may be busy


def at_most(failures: int, units: int, share: float) -> float:
    """The binomial distribution, summed from integers."""
    return math.fsum(
        math.comb(units, count) * share**count * (1 - share) ** (units - count)
        for count in range(failures + 1)
    )


@pytest.mark.parametrize(
    ("units", "failures", "bound"),
    [
        (60, 0, 0.0487),  # about 3/n
        (300, 0, 0.0099),
        (100, 2, 0.0616),
        (1000, 5, 0.0105),
    ],
)
def test_the_bound_has_the_published_values(units: int, failures: int, bound: float) -> None:
    assert round(upper_bound(failures, units, 0.95), 4) == bound


@quietly
@given(units=UNITS, confidence=CONFIDENCES)
def test_without_any_failure_it_is_a_root(units: int, confidence: float) -> None:
    assert upper_bound(0, units, confidence) == pytest.approx(
        -math.expm1(math.log1p(-confidence) / units), rel=1e-9
    )


@quietly
@given(units=UNITS, confidence=CONFIDENCES, share=st.floats(0, 1))
def test_at_the_bound_so_few_failures_are_just_improbable(
    units: int, confidence: float, share: float
) -> None:
    failures = int(share * units)
    bound = upper_bound(failures, units, confidence)
    if failures == units:
        assert bound == 1
    else:
        assert at_most(failures, units, bound) == pytest.approx(1 - confidence, abs=1e-8)


@quietly
@given(units=UNITS, failures=st.integers(0, 400), confidence=CONFIDENCES)
def test_more_failures_raise_it_and_more_units_lower_it(units: int, failures: int, confidence: float) -> None:
    bound = upper_bound(failures, units, confidence)

    assert upper_bound(failures + 1, units, confidence) >= bound
    assert upper_bound(failures, units + 1, confidence) <= bound
    assert min(1.0, failures / units) <= bound <= 1


def test_nothing_looked_at_bounds_nothing() -> None:
    assert upper_bound(0, 0, 0.95) == 1.0


def test_a_million_parts_are_counted_without_underflow() -> None:
    bound = upper_bound(3, 1_000_000, 0.95)

    assert bound == pytest.approx(7.754e-6, rel=1e-3)  # Poisson's for three: 7.754


@pytest.mark.torch
@quietly
@given(units=UNITS, failures=st.integers(0, 400), confidence=CONFIDENCES)
def test_training_says_the_same(units: int, failures: int, confidence: float) -> None:
    from training.statistics import upper_bound as by_scipy

    assert upper_bound(failures, units, confidence) == pytest.approx(
        by_scipy(failures, units, confidence), rel=1e-9, abs=1e-12
    )
