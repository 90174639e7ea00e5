"""Two catalog models on the same items: which is better, or is the difference chance? By McNemar's exact test."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from training.catalog.figures import right_at
from training.catalog.score import CatalogScored, score_bundle
from training.issue import learned_from
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
    """All levels on the test items and on those that people corrected, and what follows for the second model.

    Attributes:
        learned_from: rows of products that a model was trained or tuned on; they are left out.
        same_product: rows of products of which another row counts already.
    """

    test: dict[str, Paired]
    corrected: dict[str, Paired]
    learned_from: int
    same_product: int
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
    """Compare two catalog bundles, each with the file that this machine would run, by a row a product that neither learned from.

    Raises:
        CatalogError: they have other levels, an item's labels are not both trees', or a model learned from all test items.
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
    by_each = [learned_from(one, scored[0].digests) for one in (first, second)]
    learned = [any(each) for each in zip(*by_each, strict=True)]

    def by_level(rows: list[int]) -> dict[str, Paired]:
        return {
            level: paired(right[0][index][rows], right[1][index][rows]) for index, level in enumerate(levels)
        }

    parts = [range(len(test)), range(len(test), len(items))]
    kept = [_counted(items, learned, part) for part in parts]
    if not kept[0].rows:
        raise CatalogError(f"expected test items that neither model learned from, found none in {len(test)}")
    on_test = by_level(kept[0].rows)
    on_corrected = by_level(kept[1].rows) if kept[1].rows else {}
    publish, why = verdict(on_test[levels[-1]], on_corrected.get(levels[-1]))
    return Comparison(
        test=on_test,
        corrected=on_corrected,
        learned_from=sum(one.learned_from for one in kept),
        same_product=sum(one.same_product for one in kept),
        publish=publish,
        why=why,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """Those of some rows that count, and how many do not."""

    rows: list[int]
    learned_from: int
    same_product: int


def _counted(items: Sequence[Item], learned: Sequence[bool], part: Sequence[int]) -> _Counted:
    """The first row of each product, by its group, of whose pictures none was learned from."""
    known = {items[row].group for row in part if learned[row]}
    first: dict[str, int] = {}
    for row in part:
        first.setdefault(items[row].group, row)
    without = sum(items[row].group in known for row in part)
    rows = [row for group, row in first.items() if group not in known]
    return _Counted(rows=rows, learned_from=without, same_product=len(part) - without - len(rows))


def verdict(test: Paired, corrected: Paired | None) -> tuple[bool, str]:
    """Whether to publish the second model, by the finest level: better on the test items, and worse on neither part beyond chance.

    Corrected items are those where the model that placed them was wrong; any other model is better there. So they may forbid, not decide.
    """
    parts = {"the test items": test} | ({"the corrected items": corrected} if corrected else {})
    worse = [where for where, one in parts.items() if _sure(one) and one.only_first > one.only_second]
    if worse:
        return False, f"do not publish: worse on {' and '.join(worse)}"
    if _sure(test):
        return True, "publish: better on the test items, worse on none"
    return False, "do not publish: no difference beyond chance on the test items"


def _sure(one: Paired) -> bool:
    return one.p_value < SIGNIFICANT


def _right(scored: CatalogScored) -> list[npt.NDArray[np.bool_]]:
    """For each level whether each item's most probable label is right, with all modalities."""
    by_level = scored.by_level(scored.reading.modalities)
    return [right_at(scored, by_level, index) for index in range(len(by_level))]
