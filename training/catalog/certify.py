"""From which probability on an answer is wrong seldom enough: thresholds with an exact bound on the risk of the answers given.

For each level and each subset of the modalities the thresholds of a fixed grid are tested from the strictest to the loosest, each by the
exact binomial test on the items that it answers, stopping at the first that fails (fixed-sequence testing, Angelopoulos et al. 2021, Learn
then Test, arXiv:2110.01052): selective classification with guaranteed risk (Geifman & El-Yaniv 2017, arXiv:1705.08500). The grid begins
where enough items are answered for the test to be able to pass at all. Nothing here reads a picture.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.stats import binom

from training.catalog.figures import right_at
from training.catalog.score import CatalogScored
from training.statistics import units_needed, upper_bound
from vision.catalog.certificate import LevelPromise

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
SHARES: Final = 100  # thresholds tested: the quantiles of the tune part's probabilities


def fit_temperature(scored: CatalogScored, subset: Sequence[str]) -> float:
    """The temperature with the smallest log loss of the allowed paths (Guo et al. 2017, arXiv:1706.04599)."""

    def loss(log_temperature: float) -> float:
        by_path = scored.by_path(subset, float(np.exp(log_temperature)))
        told = (by_path * scored.allowed).sum(axis=1)
        return float(-np.log(np.maximum(told, 1e-12)).mean())

    found = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return round(float(np.exp(found.x)), 6)


def grid_from(sure: Floats) -> Floats:
    """Thresholds to test, strictest first: quantiles of the tune part's probabilities, so that each step answers about as many more."""
    return np.unique(np.round(np.quantile(sure, np.linspace(0, 1, SHARES + 1)), 6))[::-1]


def promise(
    level: str, sure: Floats, right: Flags, grid: Floats, *, max_risk: float, confidence: float
) -> LevelPromise:
    """The loosest threshold that passes before the first that fails, and its bound; without one the strictest's is told.

    Args:
        sure, right: of calibration items, the most probable label's probability (N,) and whether it is right.
        grid: thresholds fixed before, strictest first.
    """
    order = np.sort(sure)
    answered = len(sure) - np.searchsorted(order, grid, side="left")
    wrong = np.array([int((~right & (sure >= threshold)).sum()) for threshold in grid])
    # too few answers could never pass, so testing them would only end the sequence
    start = int(np.argmax(answered >= units_needed(max_risk, confidence)))
    passes = binom.cdf(wrong, answered, max_risk) <= 1 - confidence
    passes[:start] = False
    end = start
    while end < len(grid) and passes[end]:
        end += 1
    chosen = max(end - 1, start)
    return LevelPromise(
        level=level,
        threshold=float(grid[chosen]) if end > start else None,
        answered=int(answered[chosen]),
        wrong=int(wrong[chosen]),
        of=len(sure),
        upper=round(upper_bound(int(wrong[chosen]), int(answered[chosen]), confidence), 6),
    )


def promises(
    calibration: CatalogScored,
    subset: Sequence[str],
    grids: Sequence[Floats],
    *,
    temperature: float,
    max_risk: float,
    confidence: float,
) -> tuple[LevelPromise, ...]:
    """A promise for each level, by one subset of the modalities; `grids` are the tune part's, one a level."""
    by_level = calibration.by_level(subset, temperature)
    return tuple(
        promise(
            level,
            by_level[index].max(1),
            right_at(calibration, by_level, index),
            grids[index],
            max_risk=max_risk,
            confidence=confidence,
        )
        for index, level in enumerate(calibration.reading.taxonomy.levels)
    )
