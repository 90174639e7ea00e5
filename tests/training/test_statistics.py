"""Exact bounds against published values and by counting, and the few measures that are ours."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from training.statistics import expected_calibration_error, group_bootstrap, rate, units_needed, upper_bound

CONFIDENCES = st.floats(min_value=0.5001, max_value=0.9999)
COUNTS = st.integers(min_value=0, max_value=400)


@pytest.mark.parametrize(
    ("n", "failures", "bound"),
    [
        (60, 0, 0.0487),  # about 3/n
        (300, 0, 0.0099),
        (100, 2, 0.0616),
        (1000, 5, 0.0105),
    ],
)
def test_the_upper_bound_is_clopper_and_pearsons(n: int, failures: int, bound: float) -> None:
    assert round(upper_bound(failures, n, 0.95), 4) == bound


@given(
    n=st.integers(min_value=1, max_value=400),
    share=st.floats(min_value=0, max_value=1),
    confidence=CONFIDENCES,
)
def test_at_the_upper_bound_so_few_failures_are_just_improbable(
    n: int, share: float, confidence: float
) -> None:
    failures = int(share * n)
    bound = upper_bound(failures, n, confidence)
    if failures == n:
        assert bound == 1
    else:
        assert binom.cdf(failures, n, bound) == pytest.approx(1 - confidence, abs=1e-7)


@given(n=COUNTS, failures=COUNTS, confidence=CONFIDENCES)
def test_more_failures_raise_the_bound_and_more_units_lower_it(
    n: int, failures: int, confidence: float
) -> None:
    bound = upper_bound(failures, n, confidence)
    assert upper_bound(failures + 1, n, confidence) >= bound
    assert upper_bound(failures, n + 1, confidence) <= bound
    assert failures / max(n, failures, 1) <= bound <= 1


@given(n=COUNTS, failures=COUNTS, low=CONFIDENCES, high=CONFIDENCES)
def test_more_confidence_raises_the_bound(n: int, failures: int, low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert upper_bound(failures, n, low) <= upper_bound(failures, n, high) + 1e-12


def test_nothing_seen_bounds_nothing() -> None:
    assert upper_bound(0, 0, 0.95) == 1
    nothing = rate(0, 0)
    assert (nothing.value, nothing.low, nothing.high) == (None, 0, 1)


@pytest.mark.parametrize(
    ("n", "truth"), [(20, 0.05), (60, 0.05), (100, 0.02), (300, 0.01), (50, 0.5), (7, 0.9)]
)
def test_the_truth_is_covered_as_often_as_promised(n: int, truth: float) -> None:
    draws = np.random.default_rng(0).binomial(n, truth, 20_000)
    counts, times = np.unique(draws, return_counts=True)
    rates = [rate(int(count), n) for count in counts]
    one_sided = [upper_bound(int(count), n, 0.95) >= truth for count in counts]
    two_sided = [one.low <= truth <= one.high for one in rates]
    error = math.sqrt(0.05 * 0.95 / len(draws))
    assert times[one_sided].sum() / len(draws) >= 0.95 - 3 * error
    assert times[two_sided].sum() / len(draws) >= 0.95 - 3 * error


@given(
    n=st.integers(min_value=1, max_value=400),
    share=st.floats(min_value=0, max_value=1),
    confidence=CONFIDENCES,
)
def test_an_interval_holds_the_share_and_mirrors_that_of_the_others(
    n: int, share: float, confidence: float
) -> None:
    count = int(share * n)
    one, other = rate(count, n, confidence=confidence), rate(n - count, n, confidence=confidence)
    assert one.value is not None
    assert 0 <= one.low <= one.value <= one.high <= 1
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-9)


def test_a_rate_says_what_it_was_counted_from() -> None:
    found = rate(3, 20)
    assert found.to_json() == {
        "value": 0.15,
        "low": pytest.approx(0.0321, abs=1e-4),  # R: binom.test(3, 20)
        "high": pytest.approx(0.3789, abs=1e-4),
        "count": 3,
        "n": 20,
    }


@pytest.mark.parametrize(
    ("max_rate", "confidence", "units"),
    [
        (0.05, 0.95, 59),
        (0.01, 0.95, 299),
        (0.001, 0.95, 2995),
        (0.5, 0.75, 2),  # just so: 0.5² = 1 - 0.75
        (0.1, 0.9, 22),
    ],
)
def test_as_many_units_are_needed_as_the_table_says(max_rate: float, confidence: float, units: int) -> None:
    assert units_needed(max_rate, confidence) == units


@given(max_rate=st.floats(min_value=1e-4, max_value=0.5), confidence=CONFIDENCES)
def test_the_units_needed_are_the_fewest_that_certify(max_rate: float, confidence: float) -> None:
    units = units_needed(max_rate, confidence)
    assert upper_bound(0, units, confidence) <= max_rate * (1 + 1e-9)
    assert units == 1 or upper_bound(0, units - 1, confidence) > max_rate


def test_the_calibration_error_is_the_weighted_gap_between_confidence_and_accuracy() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.65])
    correct = np.array([True, True, True, False, True, False])
    # ten bins: four at 0.95 of which three are right, one at 0.55 that is right, one at 0.65 that is wrong
    by_hand = 4 / 6 * abs(0.95 - 0.75) + 1 / 6 * abs(0.55 - 1) + 1 / 6 * abs(0.65 - 0)
    assert expected_calibration_error(confidence, correct, bins=10) == pytest.approx(by_hand)


def test_full_confidence_belongs_to_the_last_bin() -> None:
    confidence, correct = np.array([1.0, 0.92]), np.array([False, True])
    assert expected_calibration_error(confidence, correct, bins=10) == pytest.approx(0.96 - 0.5)


def test_predictions_as_right_as_they_claim_have_no_calibration_error() -> None:
    confidence = np.repeat([0.75, 0.9], [400, 1000])
    correct = np.concatenate([np.arange(400) % 4 > 0, np.arange(1000) % 10 > 0])
    assert expected_calibration_error(confidence, correct) == pytest.approx(0, abs=1e-12)


def mean_of(values: list[float]) -> tuple[float, float]:
    """The interval of a mean over values, each a group of its own."""
    array = np.array(values)
    return group_bootstrap(lambda rows: float(array[rows].mean()), [str(n) for n in range(len(values))])


def test_an_interval_over_groups_is_that_of_the_group_means() -> None:
    values = np.random.default_rng(5).normal(10, 2, 400)
    low, high = mean_of(values.tolist())
    expected = 1.96 * values.std() / math.sqrt(len(values))
    assert (low, high) == pytest.approx((values.mean() - expected, values.mean() + expected), abs=0.05)


def test_parts_of_one_group_tell_no_more_than_one_part() -> None:
    values, names = np.repeat([0.0, 1.0, 1.0, 0.0], 50), np.repeat(["a", "b", "c", "d"], 50).tolist()
    interval = group_bootstrap(lambda rows: float(values[rows].mean()), names)
    assert interval == mean_of([0.0, 1.0, 1.0, 0.0])
    assert interval == (0.0, 1.0)


def test_groups_are_drawn_whole() -> None:
    names = ["a", "a", "a", "b", "c", "c"]
    sizes = {"a": 3, "b": 1, "c": 2}

    def whole(rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
        drawn = [names[row] for row in rows]
        assert all(drawn.count(name) % size == 0 for name, size in sizes.items())
        return float(len(rows))

    assert group_bootstrap(whole, names, draws=200) == (3.0, 9.0)  # three times b, three times a


def test_one_group_gives_no_spread() -> None:
    values = np.array([0.2, 0.9, 0.4])
    interval = group_bootstrap(lambda rows: float(values[rows].mean()), ["module"] * 3)
    assert interval == (values.mean(), values.mean())


def test_draws_in_which_the_measure_is_not_defined_are_left_out() -> None:
    def smallest_if_all(rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
        return math.nan if len(set(rows.tolist())) < 2 else 7.0

    assert group_bootstrap(smallest_if_all, ["a", "b"]) == (7.0, 7.0)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.arange(30.0)
    names = [str(n // 3) for n in range(30)]
    intervals = {
        group_bootstrap(lambda rows: float(values[rows].mean()), names, draws=50, seed=seed)
        for seed in (1, 1, 2)
    }
    assert len(intervals) == 2
