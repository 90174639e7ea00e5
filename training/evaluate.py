"""How good is it, honestly: figures with intervals on pictures the model has not seen.

Takes what a model said of labelled pictures (`training.score`) and gives an `Evaluation`. Rates come with exact
intervals, AUROC with an interval over whole groups; every manifest column of few values gives a sliced view.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score

from training.score import Scored
from training.statistics import Rate, expected_calibration_error, group_bootstrap, rate
from vision.errors import ManifestError
from vision.inspection.policy import Decision, Verdict
from vision.inspection.prediction import probabilities

MAX_SLICES: Final = 12  # a column with more values names pictures, not kinds of them
_UNSLICED: Final = frozenset({"path", "label", "split", "group"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """Of one label: how many of its pictures were found, and how many called so were."""

    recall: Rate
    precision: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFigures:
    """What the bundle's policy did, quality and novelty gates included.

    Attributes:
        escape: defective parts accepted. false_reject: good parts rejected. review: all parts sent to review.
        reasons: how often each decision was taken for each reason.
    """

    escape: Rate
    false_reject: Rate
    review: Rate
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceFigures:
    """The same figures on a part of the pictures; AUROC only where both kinds are in it."""

    n: int
    defective: int
    accuracy: Rate
    auroc: float | None
    escape: Rate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All figures of one model on one set of pictures.

    Attributes:
        auroc: of the probability of defect, good against all other labels; NaN-free: absent with one kind only.
        auroc_interval: 95 %, from resampling whole groups.
        ece: expected calibration error of the predicted label's probability, 15 bins.
        confusion: rows the truth, columns the prediction, in the order of `labels`.
    """

    n: int
    labels: tuple[str, ...]
    good: str
    accuracy: Rate
    balanced_accuracy: float
    auroc: float | None
    auroc_interval: tuple[float, float] | None
    average_precision: float | None
    ece: float
    per_class: Mapping[str, ClassFigures]
    confusion: tuple[tuple[int, ...], ...]
    policy: PolicyFigures | None
    slices: Mapping[str, Mapping[str, SliceFigures]]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Scored pictures with probabilities (N, C) and, from a bundle, verdicts."""

    scored: Scored
    labels: tuple[str, ...]
    good: str
    probabilities: npt.NDArray[np.float64]
    verdicts: tuple[Verdict, ...] | None

    @cached_property
    def truth(self) -> npt.NDArray[np.int64]:
        """The index of each picture's label."""
        return self.scored.classes(self.labels)

    @cached_property
    def defective(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.truth != self.labels.index(self.good))

    @cached_property
    def defect_probability(self) -> npt.NDArray[np.float64]:
        return np.asarray(1 - self.probabilities[:, self.labels.index(self.good)])


def judged(
    scored: Scored,
    labels: tuple[str, ...],
    good: str,
    *,
    temperature: float = 1.0,
    verdicts: tuple[Verdict, ...] | None = None,
) -> Judged:
    """Scored pictures with their probabilities at a temperature."""
    return Judged(
        scored=scored,
        labels=labels,
        good=good,
        probabilities=probabilities(scored.logits, temperature),
        verdicts=verdicts,
    )


def evaluate(one: Judged, *, slice_by: Sequence[str] | None = None) -> Evaluation:
    """All figures.

    Args:
        slice_by: manifest columns; by default every one with 2 to `MAX_SLICES` values.

    Raises:
        ManifestError: there is no such column.
    """
    truth, predicted = one.truth, one.probabilities.argmax(1)
    correct = predicted == truth
    columns = _sliceable(one) if slice_by is None else _known(slice_by, one)
    everything = np.arange(len(truth))
    return Evaluation(
        n=len(truth),
        labels=one.labels,
        good=one.good,
        accuracy=rate(int(correct.sum()), len(correct)),
        balanced_accuracy=_balanced_accuracy(truth, predicted),
        auroc=_auroc(one, everything),
        auroc_interval=_auroc_interval(one),
        average_precision=_average_precision(one),
        ece=expected_calibration_error(one.probabilities.max(1), correct),
        per_class=_per_class(one.labels, truth, predicted),
        confusion=tuple(
            tuple(int(count) for count in row)
            for row in confusion_matrix(truth, predicted, labels=range(len(one.labels)))
        ),
        policy=_policy(one, everything),
        slices={column: _slices(one, column) for column in columns},
    )


def _balanced_accuracy(truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]) -> float:
    """Mean recall over the labels there are; scikit-learn's warns of a label that was predicted but is not there."""
    return float(np.mean([(predicted[truth == label] == label).mean() for label in np.unique(truth)]))


def _auroc(one: Judged, rows: npt.NDArray[np.int64]) -> float | None:
    defective = one.defective[rows]
    if defective.all() or not defective.any():
        return None
    return float(roc_auc_score(defective, one.defect_probability[rows]))


def _auroc_interval(one: Judged) -> tuple[float, float] | None:
    if _auroc(one, np.arange(len(one.truth))) is None:
        return None

    def measure(rows: npt.NDArray[np.int64]) -> float:
        value = _auroc(one, rows)
        return math.nan if value is None else value

    return group_bootstrap(measure, one.scored.groups)


def _average_precision(one: Judged) -> float | None:
    if one.defective.all() or not one.defective.any():
        return None
    return float(average_precision_score(one.defective, one.defect_probability))


def _per_class(
    labels: Sequence[str], truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]
) -> dict[str, ClassFigures]:
    figures = {}
    for index, label in enumerate(labels):
        found = int(((truth == index) & (predicted == index)).sum())
        figures[label] = ClassFigures(
            recall=rate(found, int((truth == index).sum())),
            precision=rate(found, int((predicted == index).sum())),
        )
    return figures


def _policy(one: Judged, rows: npt.NDArray[np.int64]) -> PolicyFigures | None:
    if one.verdicts is None:
        return None
    verdicts = [one.verdicts[int(row)] for row in rows]
    bad = one.defective[rows]
    decisions = np.array([verdict.decision.value for verdict in verdicts])
    return PolicyFigures(
        escape=rate(int((bad & (decisions == Decision.ACCEPT)).sum()), int(bad.sum())),
        false_reject=rate(int((~bad & (decisions == Decision.REJECT)).sum()), int((~bad).sum())),
        review=rate(int((decisions == Decision.REVIEW).sum()), len(decisions)),
        reasons=dict(Counter(f"{verdict.decision.value} {verdict.reason.value}" for verdict in verdicts)),
    )


def _known(columns: Sequence[str], one: Judged) -> Sequence[str]:
    known = one.scored.items[0].columns
    unknown = [column for column in columns if column not in known]
    if unknown:
        found = ", ".join(known) or "none"
        raise ManifestError(
            f"--slice-by: expected a column of the manifest, found '{unknown[0]}' (columns: {found})"
        )
    return columns


def _sliceable(one: Judged) -> list[str]:
    """Columns that divide the pictures into a few kinds."""
    items = one.scored.items
    columns = [column for column in items[0].columns if column not in _UNSLICED]
    return [
        column
        for column in columns
        if 2 <= len({item.columns.get(column, "") for item in items}) <= MAX_SLICES
    ]


def _slices(one: Judged, column: str) -> dict[str, SliceFigures]:
    values = np.array([item.columns.get(column, "") for item in one.scored.items])
    correct = one.probabilities.argmax(1) == one.truth
    figures = {}
    for value in sorted(set(values.tolist())):
        rows = np.flatnonzero(values == value)
        policy = _policy(one, rows)
        figures[value] = SliceFigures(
            n=len(rows),
            defective=int(one.defective[rows].sum()),
            accuracy=rate(int(correct[rows].sum()), len(rows)),
            auroc=_auroc(one, rows),
            escape=policy.escape if policy else None,
        )
    return figures
