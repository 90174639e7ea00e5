"""How many defective parts slip through, at most: thresholds and the certificate that stands behind them.

Takes the probabilities that one ONNX file gave the calibration parts, gives a policy and, where the data allow it, a
certificate. The accept thresholds are tested from the strictest to the loosest with exact binomial tests, stopping at
the first that fails (fixed-sequence testing: Angelopoulos et al. 2021, Learn then Test, arXiv:2110.01052). The grid is
fixed, so the error over all of it is at most 1 - confidence, and the cheapest of those that passed may be chosen freely.

Temperature and bin edges come from the tune part, never from the calibration data. Nothing here reads a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from scipy.stats import binom

from training.statistics import units_needed, upper_bound
from vision.errors import ManifestError
from vision.inspection.certificate import Assumption, Bound, promise
from vision.inspection.policy import Costs, Policy, Rates

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_LOGITS: Final = np.linspace(-12, 12, 961)
GRID: Final = np.round(1 / (1 + np.exp(-_LOGITS)), 7)  # accept thresholds, strictest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Calibration parts as one file sees them: `probability` of defect (N,), truth (N,), and each one's group."""

    probability: Floats
    defective: Flags
    groups: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.defective.any() or self.defective.all():
            raise ManifestError(
                f"calibration: expected good and defective parts, found {int(self.defective.sum())} defective "
                f"among {len(self.defective)}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Certification:
    """What came of it: a policy, and whether its accept threshold is certified.

    Attributes:
        bounds: at the policy's accept threshold, or at the strictest one tested where the policy accepts nothing.
        passed: how many of the tested thresholds, strictest first, keep the asked rate under the binding assumption.
    """

    policy: Policy
    bounds: tuple[Bound, ...]
    binding: Assumption
    certified: bool
    passed: int
    rates: Rates

    def explanation(self, max_escape: float, confidence: float) -> str:
        """In a sentence what was reached, or what it would take."""
        bound = next(bound for bound in self.bounds if bound.assumption == self.binding)
        share, sure = f"{100 * max_escape:g}%", f"{100 * confidence:g}% confidence"  # 99.9% is not 100%
        unit = "defective parts" if self.binding == "parts exchangeable" else "groups with a defective part"
        if self.certified:
            return f"certified: {promise(self.binding, max_escape)}, {sure}, {self.binding}"
        if self.passed:
            why = "could be certified, but at these costs accepting nothing costs least"
        elif bound.units < bound.units_needed:
            why = f"takes at least {bound.units_needed} {unit} without a miss, found {bound.units}"
        else:
            why = (
                f"cannot be shown: of {bound.units} {unit} the strictest threshold misses {bound.failures}, "
                f"which bounds the rate by {bound.upper:.2%} only"
            )
        return f"not certified: {share} at {sure} {why} ({self.binding}); the policy accepts nothing"


def fit_temperature(logits: npt.NDArray[np.floating], classes: npt.NDArray[np.int64]) -> float:
    """The temperature with the smallest log loss on (N, C) logits (Guo et al. 2017, arXiv:1706.04599).

    The targets are Platt's: of a class with n pictures (n + 1)/(n + C) rather than 1, so that a few pictures told apart
    without a mistake do not make the model certain of everything (Platt 1999, Advances in Large Margin Classifiers).
    """
    labels = logits.shape[1]
    others = 1 / (np.bincount(classes, minlength=labels)[classes] + labels)
    targets = np.repeat(others[:, None], labels, axis=1)
    targets[np.arange(len(classes)), classes] = 1 - (labels - 1) * others

    def loss(log_temperature: float) -> float:
        return float(-(targets * log_softmax(logits / np.exp(log_temperature), axis=1)).sum(axis=1).mean())

    found = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return round(float(np.exp(found.x)), 6)


def failures_by_threshold(
    calibration: Calibration, assumption: Assumption, grid: Floats = GRID
) -> tuple[npt.NDArray[np.int64], int]:
    """Failures at each threshold, and the number of units: defective parts, or groups that hold one.

    A part fails when it is accepted; a group when any of its defective parts is, so at its smallest probability.
    """
    scores = calibration.probability[calibration.defective]
    if assumption == "groups exchangeable":
        lowest: dict[str, float] = {}
        groups = [group for group, bad in zip(calibration.groups, calibration.defective, strict=True) if bad]
        for group, score in zip(groups, scores.tolist(), strict=True):
            lowest[group] = min(score, lowest.get(group, 1.0))
        scores = np.array(list(lowest.values()))
    return np.searchsorted(np.sort(scores), grid, side="right"), len(scores)


def passing(failures: npt.NDArray[np.int64], units: int, *, max_escape: float, confidence: float) -> int:
    """How many of the thresholds, strictest first, pass before the first that does not."""
    rejected = _shown(failures, units, max_escape=max_escape, confidence=confidence)
    return int(np.argmin(rejected)) if not rejected.all() else len(rejected)


def _shown(
    failures: npt.NDArray[np.int64], units: int, *, max_escape: float, confidence: float
) -> npt.NDArray[np.bool_]:
    """Whether so few failures are improbable (1 - confidence) at any rate above `max_escape`: the exact binomial test."""
    return np.asarray(binom.cdf(failures, units, max_escape) <= 1 - confidence)


def certify(
    calibration: Calibration,
    costs: Costs,
    *,
    max_escape: float,
    confidence: float,
    assume_independent_parts: bool = False,
) -> Certification:
    """Thresholds of least expected cost among those whose escape rate is certified.

    With groups of several parts the group bound binds, unless parts are assumed independent. Where no threshold
    passes, the policy accepts nothing and the bounds say what it would have taken.
    """
    grouped = len(set(calibration.groups)) < len(calibration.groups)
    binding: Assumption = (
        "groups exchangeable" if grouped and not assume_independent_parts else "parts exchangeable"
    )
    failures, units = failures_by_threshold(calibration, binding)
    passed = passing(failures, units, max_escape=max_escape, confidence=confidence)
    policy, rates = cheapest(calibration, costs, allowed=passed)
    assumptions: Sequence[Assumption] = (
        ("parts exchangeable", "groups exchangeable") if grouped else ("parts exchangeable",)
    )
    bounds = tuple(
        bound_at(calibration, policy, one, max_escape=max_escape, confidence=confidence)
        for one in assumptions
    )
    return Certification(
        policy=policy,
        bounds=bounds,
        binding=binding,
        certified=policy.accept_at is not None,
        passed=passed,
        rates=rates,
    )


def bound_at(
    calibration: Calibration, policy: Policy, assumption: Assumption, *, max_escape: float, confidence: float
) -> Bound:
    """The exact bound at the policy's accept threshold (without one: at the strictest), under one assumption.

    It holds where the test of `passing` says so; the bound itself can differ from the asked rate in its last digit.
    """
    threshold = np.array([GRID[0] if policy.accept_at is None else policy.accept_at])
    failures, units = failures_by_threshold(calibration, assumption, threshold)
    shown = bool(_shown(failures, units, max_escape=max_escape, confidence=confidence)[0])
    upper = upper_bound(int(failures[0]), units, confidence)
    return Bound(
        assumption=assumption,
        units=units,
        failures=int(failures[0]),
        upper=round(upper, 6),
        holds=policy.accept_at is not None and shown,
        units_needed=units_needed(max_escape, confidence),
    )


def cheapest(calibration: Calibration, costs: Costs, *, allowed: int) -> tuple[Policy, Rates]:
    """The policy of least expected cost whose accept threshold is among the first `allowed` of the grid, or none.

    Of equally cheap ones the strictest accept threshold and the highest reject threshold are taken.
    """
    bad = np.sort(calibration.probability[calibration.defective])
    good = np.sort(calibration.probability[~calibration.defective])
    accepts = np.concatenate([[-1.0], GRID[:allowed]])
    rejects = np.concatenate([[2.0], GRID[::-1]])  # 2 rejects nothing
    accepted_bad, accepted_good = (
        np.searchsorted(one, accepts, side="right") / len(one) for one in (bad, good)
    )
    rejected_bad, rejected_good = (
        1 - np.searchsorted(one, rejects, side="left") / len(one) for one in (bad, good)
    )
    # both of shape (accept thresholds, reject thresholds)
    review_bad = 1 - accepted_bad[:, None] - rejected_bad[None, :]
    review_good = 1 - accepted_good[:, None] - rejected_good[None, :]
    cost = costs.defect_rate * (costs.escape * accepted_bad[:, None] + costs.review * review_bad) + (
        1 - costs.defect_rate
    ) * (costs.false_reject * rejected_good[None, :] + costs.review * review_good)
    cost[accepts[:, None] >= rejects[None, :]] = np.inf
    row, column = np.unravel_index(int(np.argmin(np.round(cost, 12))), cost.shape)
    policy = Policy(
        accept_at=None if row == 0 else float(accepts[row]),
        reject_at=None if rejects[column] > 1 else float(rejects[column]),
        costs=costs,
    )
    rates = Rates(
        escape=float(accepted_bad[row]),
        review_of_defective=float(review_bad[row, column]),
        false_reject=float(rejected_good[column]),
        review_of_good=float(review_good[row, column]),
    )
    return policy, rates
