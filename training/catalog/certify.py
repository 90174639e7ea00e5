"""From which probability on an answer is wrong seldom enough: thresholds with an exact bound on the risk of the answers given.

For each level and each subset of the modalities a sequence of thresholds is tested, each looser than the last, by the exact binomial test
on the items that it answers, stopping at the first that fails (fixed-sequence testing, Angelopoulos et al. 2021, Learn then Test,
arXiv:2110.01052): selective classification with guaranteed risk (Geifman & El-Yaniv 2017, arXiv:1705.08500). Where the sequence begins is
the tune part's to say: the very strictest threshold answers so few items that one mistake would end it. Nothing here reads a picture.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.stats import binom

from training.catalog.figures import right_at
from training.catalog.score import CatalogScored
from training.statistics import upper_bound
from vision.catalog.certificate import LevelPromise

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
SHARES: Final = 100


def fit_temperature(scored: CatalogScored, subset: Sequence[str]) -> float:
    """The temperature with the smallest log loss of the allowed paths (Guo et al. 2017, arXiv:1706.04599)."""

    def loss(log_temperature: float) -> float:
        by_path = scored.by_path(subset, float(np.exp(log_temperature)))
        told = (by_path * scored.allowed).sum(axis=1)
        return float(-np.log(np.maximum(told, 1e-12)).mean())

    found = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return round(float(np.exp(found.x)), 6)


def sequence(sure: Floats, right: Flags, max_risk: float) -> Floats:
    """Thresholds to test, strictest first, from the tune part's probabilities (N,) and whether they were right.

    They are quantiles of the probabilities, so that each answers about as many more, and begin with the one that the tune part would
    pass most surely.
    """
    grid = np.unique(np.round(np.quantile(sure, np.linspace(0, 1, SHARES + 1)), 6))[::-1]
    answered, wrong = _counts(sure, right, grid)
    return grid[int(np.argmin(binom.cdf(wrong, answered, max_risk))) :]


def _counts(sure: Floats, right: Flags, grid: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """How many are answered at each threshold, and how many of them wrongly."""
    answered = len(sure) - np.searchsorted(np.sort(sure), grid, side="left")
    wrong = int((~right).sum()) - np.searchsorted(np.sort(sure[~right]), grid, side="left")
    return answered, wrong


def promise(
    level: str, sure: Floats, right: Flags, grid: Floats, *, max_risk: float, confidence: float
) -> LevelPromise:
    """The loosest threshold that passes before the first that fails, and its bound; without one the first's is told.

    Args:
        sure, right: of calibration items, the most probable label's probability (N,) and whether it is right.
        grid: the sequence, fixed before, strictest first.
    """
    answered, wrong = _counts(sure, right, grid)
    fails = binom.cdf(wrong, answered, max_risk) > 1 - confidence
    passed = int(np.argmax(fails)) if fails.any() else len(grid)
    chosen = max(passed - 1, 0)
    return LevelPromise(
        level=level,
        threshold=float(grid[chosen]) if passed else None,
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
    """A promise for each level, by one subset of the modalities; `grids` are the sequences, one a level."""
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
