"""What is promised of a model's accept threshold, and for which model exactly.

A certificate says: of the defective parts, at most `max_escape` are accepted, with this confidence, under a named
assumption. It holds for one ONNX file, one preprocessing, one temperature and one accept threshold. It is issued by
`training.certify`; here it is read and held against what is about to run.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vision.errors import CertificateError
from vision.inspection.drift import DriftReference
from vision.inspection.policy import Policy, Probability

Assumption = Literal["parts exchangeable", "groups exchangeable"]


class Bound(BaseModel):
    """Misses among defective units of the calibration data, and the exact upper bound at the accept threshold.

    Attributes:
        units: defective parts, or groups that hold a defective part.
        failures: parts accepted, or groups of which a defective part is accepted.
        upper: one-sided Clopper-Pearson bound on the failure rate at the certificate's confidence.
        units_needed: how many units without a failure the asked rate takes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    assumption: Assumption
    units: int
    failures: int
    upper: Probability
    holds: bool
    units_needed: int


class Certificate(BaseModel):
    """A certified escape rate; `binding` names the bound that it rests on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_file: str
    model_sha256: str
    preprocess_sha256: str
    temperature: float
    accept_at: Probability
    max_escape: Annotated[float, Field(gt=0, lt=1)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    binding: Assumption
    bounds: tuple[Bound, ...]
    calibration_digest: str
    calibration_parts: int
    issued_on: str
    drift: DriftReference

    @model_validator(mode="after")
    def _rests_on_a_bound_that_holds(self) -> Self:
        if not any(bound.assumption == self.binding and bound.holds for bound in self.bounds):
            raise ValueError(f"bounds: expected one that holds for {self.binding}, found none")
        return self

    def check(self, *, model_sha256: str, preprocess_sha256: str, temperature: float, policy: Policy) -> None:
        """Refuse to stand for anything but what was certified.

        Raises:
            CertificateError: naming what differs.
        """
        pairs = {
            "model file": (self.model_sha256, model_sha256),
            "preprocessing": (self.preprocess_sha256, preprocess_sha256),
            "temperature": (self.temperature, temperature),
            "accept threshold": (self.accept_at, policy.accept_at),
        }
        for what, (expected, found) in pairs.items():
            if expected != found:
                raise CertificateError(
                    f"certificate of {self.model_file}: {what}: expected {expected}, found {found}"
                )

    def line(self) -> str:
        """The certificate in one sentence."""
        bound = next(bound for bound in self.bounds if bound.assumption == self.binding)
        return (
            f"{promise(self.binding, self.max_escape)}, with {100 * self.confidence:g}% confidence, {self.binding} "
            f"({bound.failures} of {bound.units} missed in calibration, bound {100 * bound.upper:.3g}%)"
        )


def promise(binding: Assumption, max_escape: float) -> str:
    """What a bound promises, in words: over groups it speaks of groups, however many parts they hold."""
    share = f"{100 * max_escape:g}%"
    if binding == "parts exchangeable":
        return f"at most {share} of defective parts are accepted"
    return f"in at most {share} of groups with a defective part is any of them accepted"
