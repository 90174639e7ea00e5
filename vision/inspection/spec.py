"""What an inspection bundle keeps under `decision`: which label is good, and how each ONNX file's answers are read."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vision.bundle import Bundle, Manifest, decision_of
from vision.errors import BundleError
from vision.inspection.certificate import Certificate
from vision.inspection.policy import Policy
from vision.inspection.quality import QualityLimits


class FileDecision(BaseModel):
    """How one ONNX file's outputs become a verdict.

    Attributes:
        temperature: logits are divided by it before the softmax (Guo et al. 2017, arXiv:1706.04599).
        novelty_radius: distance from the reference beyond which a part is novel.
        certificate: absent until certified; `policy` then accepts nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    temperature: Annotated[float, Field(gt=0)] = 1.0
    novelty_radius: Annotated[float, Field(gt=0)]
    policy: Policy = Policy()
    certificate: Certificate | None = None

    @model_validator(mode="after")
    def _accepts_nothing_without_a_certificate(self) -> Self:
        if self.certificate is None and self.policy.accept_at is not None:
            raise ValueError(
                f"expected no accept threshold without a certificate, found {self.policy.accept_at}"
            )
        return self


class CalibrationRecord(BaseModel):
    """One opening of calibration data, whatever came of it: the more openings, the less a certificate is worth."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_digest: str
    opened_on: str
    max_escape: float
    confidence: float
    certified: tuple[str, ...]


class InspectionSpec(BaseModel):
    """The inspection part of a bundle's manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    good: str
    quality: QualityLimits
    files: dict[str, FileDecision]
    calibrations: tuple[CalibrationRecord, ...] = ()

    def into(self, manifest: Manifest) -> Manifest:
        """The manifest with this as its decision part."""
        return manifest.model_copy(update={"decision": self.model_dump(mode="json")})


def inspection_spec(bundle: Bundle) -> InspectionSpec:
    """Read the inspection part of a bundle and hold its certificates against its files.

    Raises:
        BundleError: it is no inspection bundle, or a field is wrong.
        CertificateError: a certificate was issued for something else.
    """
    manifest, spec = bundle.manifest, decision_of(bundle, "inspection", InspectionSpec)
    if spec.good not in manifest.labels:
        raise BundleError(
            f"{bundle.path}: decision.good: expected one of {manifest.labels}, found '{spec.good}'"
        )
    if set(spec.files) != set(manifest.models):
        raise BundleError(
            f"{bundle.path}: decision.files: expected {sorted(manifest.models)}, found {sorted(spec.files)}"
        )
    for name, decision in spec.files.items():
        if decision.certificate is not None:
            decision.certificate.check(
                model_sha256=manifest.files[name].sha256,
                preprocess_sha256=manifest.preprocess.digest(),
                temperature=decision.temperature,
                policy=decision.policy,
            )
    return spec
