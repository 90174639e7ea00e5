"""From a calibrated probability of defect to accept, reject or review, each with its reason.

Pure functions over frozen values: no model, no clock, no file. Where the thresholds come from is
`training.certify`; what stands behind them is `vision.inspection.certificate`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Probability = Annotated[float, Field(ge=0, le=1)]
Cost = Annotated[float, Field(ge=0)]


class Decision(StrEnum):
    """What happens to the part."""

    ACCEPT = "accept"
    REJECT = "reject"
    REVIEW = "review"


class Reason(StrEnum):
    """Why. `FAULT`: nobody could judge the part, and the configured fallback answered."""

    CONFIDENT = "confident"
    UNCERTAIN = "uncertain"
    NOVEL = "novel"
    IMAGE_QUALITY = "image_quality"
    FAULT = "fault"


class Costs(BaseModel):
    """What mistakes cost, in any one currency, and the share of defective parts expected at the line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    escape: Cost = 100.0
    false_reject: Cost = 5.0
    review: Cost = 1.0
    defect_rate: Annotated[float, Field(gt=0, lt=1)] = 0.05

    def expected(self, rates: "Rates") -> float:
        """Expected cost a part; a true accept and a true reject cost nothing."""
        defective = self.escape * rates.escape + self.review * rates.review_of_defective
        good = self.false_reject * rates.false_reject + self.review * rates.review_of_good
        return self.defect_rate * defective + (1 - self.defect_rate) * good


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Shares of the defective parts (escape, review) and of the good parts (false reject, review), 0..1."""

    escape: float
    review_of_defective: float
    false_reject: float
    review_of_good: float


class Policy(BaseModel):
    """Two thresholds on the probability of defect.

    Attributes:
        accept_at: accept up to this probability; absent: accept nothing.
        reject_at: reject from this probability; absent: reject nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    accept_at: Probability | None = None
    reject_at: Probability | None = None
    costs: Costs = Costs()

    @model_validator(mode="after")
    def _accept_lies_below_reject(self) -> Self:
        if self.accept_at is not None and self.reject_at is not None and self.accept_at >= self.reject_at:
            raise ValueError(f"expected accept_at < reject_at, found {self.accept_at} and {self.reject_at}")
        return self

    def judge(self, probability: float) -> Decision:
        """The decision by probability alone."""
        if self.accept_at is not None and probability <= self.accept_at:
            return Decision.ACCEPT
        if self.reject_at is not None and probability >= self.reject_at:
            return Decision.REJECT
        return Decision.REVIEW


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer for one part.

    Attributes:
        probability: calibrated probability of defect, 0..1; absent where the part was not judged.
        probabilities: of every label.
        label: the most probable one.
        novelty: distance from the reference parts over the novelty radius; above 1 is novel.
        certified: whether a certificate in force covers the decision's accept threshold.
        detail: the reason in words.
    """

    decision: Decision
    reason: Reason
    detail: str
    probability: float | None = None
    label: str | None = None
    probabilities: Mapping[str, float] | None = None
    novelty: float | None = None
    certified: bool = False


def decide(
    policy: Policy,
    probability: float,
    *,
    quality_fault: str | None = None,
    novelty: float | None = None,
    void: bool = False,
) -> tuple[Decision, Reason, str]:
    """The decision for one part, with its reason and that reason in words.

    A picture that cannot be trusted and a part unlike any seen go to review, whatever their probability. With a
    `void` certificate nothing is accepted any more.
    """
    if quality_fault is not None:
        return Decision.REVIEW, Reason.IMAGE_QUALITY, quality_fault
    if novelty is not None and not novelty <= 1:  # a distance that is no number is no known part either
        return (
            Decision.REVIEW,
            Reason.NOVEL,
            f"{novelty:.2f} times as far from known parts as known parts are",
        )
    decision = policy.judge(probability)
    if decision is Decision.ACCEPT and void:
        return Decision.REVIEW, Reason.UNCERTAIN, "the certificate is void since the parts have drifted"
    said = f"probability of defect {_digits(probability)}"
    accepted, rejected = _digits(policy.accept_at), _digits(policy.reject_at)
    if decision is Decision.ACCEPT:
        return decision, Reason.CONFIDENT, f"{said}, accepted up to {accepted}"
    if decision is Decision.REJECT:
        return decision, Reason.CONFIDENT, f"{said}, rejected from {rejected}"
    return decision, Reason.UNCERTAIN, f"{said}, between {accepted} and {rejected}"


def _digits(probability: float | None) -> str:
    """Two significant digits of whichever of p and 1 - p is small, since thresholds lie close to the ends."""
    if probability is None:
        return "no threshold"
    small = min(probability, 1 - probability)
    places = 3 if not small > 0 else min(7, max(3, 1 - math.floor(math.log10(small))))
    return f"{probability:.{places}f}"


def fallback(detail: str, *, reject: bool = False) -> Verdict:
    """The answer when no model can judge: to review, or rejected where the line is so configured."""
    return Verdict(
        decision=Decision.REJECT if reject else Decision.REVIEW, reason=Reason.FAULT, detail=detail
    )
