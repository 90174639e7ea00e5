"""Exact intervals and the few measures that scikit-learn does not have. Rates are 0..1, confidence two-sided unless said."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`count` of `n` with an interval; without any `n` the interval is the whole scale."""

    value: float | None
    low: float
    high: float
    count: int
    n: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def upper_bound(failures: int, n: int, confidence: float) -> float:
    """One-sided exact upper bound on a failure rate (Clopper & Pearson 1934)."""
    return 1.0 if failures >= n else float(beta.ppf(confidence, failures + 1, n - failures))


def rate(count: int, n: int, *, confidence: float = 0.95) -> Rate:
    """A share with its two-sided exact interval (Clopper & Pearson 1934)."""
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else float(beta.ppf(tail, count, n - count + 1))
    return Rate(
        value=count / n if n else None, low=low, high=upper_bound(count, n, 1 - tail), count=count, n=n
    )


def units_needed(max_rate: float, confidence: float) -> int:
    """How many units without any failure certify `max_rate`: the smallest n with (1 - max_rate)^n <= 1 - confidence."""
    return math.ceil(math.log(1 - confidence) / math.log(1 - max_rate) - 1e-12)


def expected_calibration_error(
    confidence: Floats, correct: npt.NDArray[np.bool_], *, bins: int = 15
) -> float:
    """Mean gap between confidence and accuracy over equal-width bins, weighted by their size (Guo et al. 2017)."""
    cell = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(float(confidence[cell == one].mean()) - float(correct[cell == one].mean()))
        * float((cell == one).mean())
        for one in np.unique(cell)
    ]
    return float(sum(gaps))


def group_bootstrap(
    measure: Callable[[npt.NDArray[np.int64]], float],
    groups: Sequence[str],
    *,
    draws: int = 500,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of a measure over resampled whole groups.

    Args:
        measure: takes indices (with repeats) and gives the measure, or NaN where it is not defined.
    """
    names, inverse = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(inverse == index) for index in range(len(names))]
    rng = np.random.default_rng(seed)
    values = [
        measure(np.concatenate([members[pick] for pick in rng.integers(0, len(names), len(names))]))
        for _ in range(draws)
    ]
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)
