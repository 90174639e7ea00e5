"""How right a catalog model is: by level, by subset of the modalities, by slice, and how sure where it is wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training.catalog.score import CatalogScored
from training.evaluate import MAX_SLICES
from training.statistics import Rate, expected_calibration_error, rate
from vision.catalog.decode import best_path_through
from vision.catalog.spec import subset_name, subsets
from vision.catalog.text import tokenise
from vision.errors import ManifestError

RISK: Final = 0.05  # of the coverage figures

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelFigures:
    """One level by one subset of the modalities.

    Attributes:
        accuracy: of the most probable label. `balanced_accuracy`: mean over the labels there are.
        ece: expected calibration error of its probability, 15 bins.
        coverage: the share of items, the surest first, of whose answers no more than `RISK` are wrong.
    """

    accuracy: Rate
    balanced_accuracy: float
    ece: float
    coverage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetFigures:
    """All levels by one subset; `hierarchical_f1` is of the sets of labels along the best path (Kiritchenko et al. 2006)."""

    levels: Mapping[str, LevelFigures]
    hierarchical_f1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEvaluation:
    """All figures of one model on one set of items.

    Attributes:
        subsets: by name, all modalities together last.
        slices: by column and value, the finest level's accuracy with all modalities.
        leaks: share of titles that hold the name of their finest label; the answer is then given away.
    """

    n: int
    subsets: Mapping[str, SubsetFigures]
    slices: Mapping[str, Mapping[str, Rate]]
    leaks: Rate | None

    @property
    def whole(self) -> SubsetFigures:
        """With all modalities."""
        return list(self.subsets.values())[-1]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def evaluate(
    scored: CatalogScored,
    *,
    temperatures: Mapping[str, float] | None = None,
    slice_by: Sequence[str] | None = None,
) -> CatalogEvaluation:
    """All figures.

    Args:
        temperatures: by subset name; 1 where absent.
        slice_by: columns of the manifest; by default all of 2 to `MAX_SLICES` values.

    Raises:
        ManifestError: there is no such column.
    """
    reading = scored.reading
    found = {
        subset_name(one): subset_figures(scored, one, (temperatures or {}).get(subset_name(one), 1.0))
        for one in subsets(reading.modalities)
    }
    right = right_at(scored, scored.by_level(reading.modalities), -1)
    return CatalogEvaluation(
        n=len(scored.items),
        subsets=found,
        slices={column: _slices(scored, right, column) for column in _columns(scored, slice_by)},
        leaks=title_leaks(scored),
    )


def subset_figures(scored: CatalogScored, subset: Sequence[str], temperature: float) -> SubsetFigures:
    """Figures by one subset of the modalities."""
    by_level = scored.by_level(subset, temperature)
    levels = {
        level: _level(scored, by_level, index) for index, level in enumerate(scored.reading.taxonomy.levels)
    }
    return SubsetFigures(
        levels=levels, hierarchical_f1=_hierarchical_f1(scored, scored.by_path(subset, temperature), by_level)
    )


def right_at(scored: CatalogScored, by_level: Sequence[Floats], level: int) -> Flags:
    """Whether the most probable label of a level is right, (N,)."""
    level %= len(by_level)
    chosen = by_level[level].argmax(1)
    return np.asarray(scored.truth(level)[np.arange(len(chosen)), chosen])


def _level(scored: CatalogScored, by_level: Sequence[Floats], index: int) -> LevelFigures:
    right, sure = right_at(scored, by_level, index), by_level[index].max(1)
    truth = scored.truth(index)
    told = truth.sum(1) == 1
    labels = truth.argmax(1)[told]
    recalls = [float(right[told][labels == label].mean()) for label in np.unique(labels)]
    return LevelFigures(
        accuracy=rate(int(right.sum()), len(right)),
        balanced_accuracy=float(np.mean(recalls)),
        ece=expected_calibration_error(sure, right),
        coverage=coverage_at(sure, right, RISK),
    )


def coverage_at(sure: Floats, right: Flags, risk: float) -> float:
    """The largest share of items, the surest first, of whose answers at most `risk` are wrong."""
    wrong = np.cumsum(~right[np.argsort(-sure, kind="stable")])
    kept = np.flatnonzero(wrong <= risk * np.arange(1, len(wrong) + 1))
    return float(kept[-1] + 1) / len(wrong) if len(kept) else 0.0


def _hierarchical_f1(scored: CatalogScored, by_path: Floats, by_level: Sequence[Floats]) -> float:
    """Twice the labels that both paths share over all of theirs; where labels leave several paths open, the best fitting one counts."""
    paths = scored.reading.taxonomy.paths
    finest = by_level[-1].argmax(1)
    chosen = [
        best_path_through(row, paths, paths.shape[1] - 1, int(label))
        for row, label in zip(by_path, finest, strict=True)
    ]
    shared = (paths[chosen][:, None, :] == paths[None]).sum(2)  # (N, P)
    best = np.where(scored.allowed, shared, -1).max(1)
    return float(best.sum() / (len(best) * paths.shape[1]))


def _columns(scored: CatalogScored, slice_by: Sequence[str] | None) -> Sequence[str]:
    known = scored.items[0].columns
    if slice_by is None:
        unsliced = {"path", "split", "group", *scored.reading.taxonomy.levels}
        return [
            column
            for column in known
            if column not in unsliced
            and 2 <= len({item.columns.get(column, "") for item in scored.items}) <= MAX_SLICES
        ]
    unknown = [column for column in slice_by if column not in known]
    if unknown:
        raise ManifestError(
            f"--slice-by: expected a column of the manifest, found '{unknown[0]}' (columns: {', '.join(known)})"
        )
    return slice_by


def _slices(scored: CatalogScored, right: Flags, column: str) -> dict[str, Rate]:
    values = np.array([item.columns.get(column, "") for item in scored.items])
    return {
        str(value): rate(int(right[values == value].sum()), int((values == value).sum()))
        for value in sorted(set(values.tolist()))
    }


def title_leaks(scored: CatalogScored) -> Rate | None:
    """How many titles name their own label: its words, or those of its names and synonyms, side by side; the last also in the singular."""
    title, taxonomy = scored.reading.title, scored.reading.taxonomy
    if title is None:
        return None
    finest, spec = taxonomy.levels[-1], title.spec

    def words(text: str) -> str:
        """As the model reads them, between blanks, so that parts of words do not count."""
        return f" {' '.join(tokenise(text, spec).words)} "

    @cache
    def names(label: str) -> tuple[str, ...]:
        known = {label, *(taxonomy.category(finest, label).words() if taxonomy.today(finest, label) else ())}
        found = [one for one in map(words, known) if one.strip()]
        return (*found, *(f"{one[:-2]} " for one in found if one.endswith("s ") and len(one) > 3))

    named = 0
    for item in scored.items:
        read = words(item.columns.get(title.column, ""))
        named += any(one in read for one in names(item.columns.get(finest) or item.label))
    return rate(named, len(scored.items))
