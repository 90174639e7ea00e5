"""Two catalog models on the same items: which is better, or is the difference chance? By McNemar's exact test."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from training.catalog.figures import right_at
from training.catalog.score import CatalogScored, score_bundle
from training.manifest import Item
from training.statistics import Rate, rate
from vision.bundle import Bundle
from vision.errors import CatalogError
from vision.qualify import choose

SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Two models on the same `n` items, at one level with all modalities.

    Attributes:
        only_first, only_second: items that one alone has right.
        p_value: two-sided, exact binomial on those (McNemar 1947, Psychometrika 12): how probable so uneven a split is by chance.
    """

    n: int
    first: Rate
    second: Rate
    only_first: int
    only_second: int
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All levels on the test items and on those that people corrected, and what follows for the second model."""

    test: dict[str, Paired]
    corrected: dict[str, Paired]
    publish: bool
    why: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def paired(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> Paired:
    """Compare two models by whether each was right about each item, (N,) both."""
    one, other = int((first & ~second).sum()), int((second & ~first).sum())
    return Paired(
        n=len(first),
        first=rate(int(first.sum()), len(first)),
        second=rate(int(second.sum()), len(second)),
        only_first=one,
        only_second=other,
        p_value=float(binomtest(one, one + other).pvalue) if one + other else 1.0,
    )


def compare_bundles(
    first: Bundle,
    second: Bundle,
    test: Sequence[Item],
    corrected: Sequence[Item] = (),
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> Comparison:
    """Compare two catalog bundles, each with the file that this machine would run.

    Raises:
        CatalogError: they have other levels, or an item's labels are not both trees'.
        BundleError: one cannot be used.
    """
    items = [*test, *corrected]
    scored = [score_bundle(one, choose(one), items, advance=advance) for one in (first, second)]
    levels = scored[0].reading.taxonomy.levels
    if scored[1].reading.taxonomy.levels != levels:
        raise CatalogError(
            f"expected two bundles of the same levels, found {', '.join(levels)} and "
            f"{', '.join(scored[1].reading.taxonomy.levels)}"
        )
    right = [_right(one) for one in scored]

    def by_level(part: slice) -> dict[str, Paired]:
        return {
            level: paired(right[0][index][part], right[1][index][part]) for index, level in enumerate(levels)
        }

    on_test = by_level(slice(0, len(test)))
    on_corrected = by_level(slice(len(test), len(items))) if corrected else {}
    publish, why = verdict(on_test[levels[-1]], on_corrected.get(levels[-1]))
    return Comparison(test=on_test, corrected=on_corrected, publish=publish, why=why)


def verdict(test: Paired, corrected: Paired | None) -> tuple[bool, str]:
    """Whether to publish the second model, by the finest level: better on either part, and worse on neither beyond chance."""
    parts = {"the test items": test} | ({"the corrected items": corrected} if corrected else {})
    worse = [where for where, one in parts.items() if _sure(one) and one.only_first > one.only_second]
    better = [where for where, one in parts.items() if _sure(one) and one.only_second > one.only_first]
    if worse:
        return False, f"do not publish: worse on {' and '.join(worse)}"
    if better:
        return True, f"publish: better on {' and '.join(better)}, worse on none"
    return False, "do not publish: no difference beyond chance"


def _sure(one: Paired) -> bool:
    return one.p_value < SIGNIFICANT


def _right(scored: CatalogScored) -> list[npt.NDArray[np.bool_]]:
    """For each level whether each item's most probable label is right, with all modalities."""
    by_level = scored.by_level(scored.reading.modalities)
    return [right_at(scored, by_level, index) for index in range(len(by_level))]
