"""How far down the tree an answer may go: for each level, from which probability on it is wrong seldom enough.

A promise speaks of the answers that are given: of those whose probability reaches the threshold, at most `max_risk` are wrong. It was
shown on calibration items by exact bounds (`training.catalog.certify`) and holds for items like those, with the same modalities.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from vision.errors import CertificateError

Share = Annotated[float, Field(ge=0, le=1)]


class LevelPromise(BaseModel):
    """What is promised of one level.

    Attributes:
        threshold: the smallest probability with which an answer is given; absent where none could be certified.
        answered, wrong, of: calibration items that were answered at it, those wrongly, and all.
        upper: the exact one-sided bound on the share of wrong answers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    level: str
    threshold: Share | None
    answered: int
    wrong: int
    of: int
    upper: Share

    @property
    def coverage(self) -> float:
        """The share of items that are answered at this level."""
        return self.answered / self.of if self.of else 0.0


class CatalogCertificate(BaseModel):
    """Promises for each subset of the modalities, bound to a model file and its preprocessing."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model_file: str
    model_sha256: str
    preprocess_sha256: str
    max_risk: Annotated[float, Field(gt=0, lt=1)]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    temperatures: dict[str, float]
    promises: dict[str, tuple[LevelPromise, ...]]
    calibration_digest: str
    calibration_items: int
    issued_on: str

    def check(self, *, model_sha256: str, preprocess_sha256: str, temperatures: dict[str, float]) -> None:
        """Hold the certificate against what is about to run.

        Raises:
            CertificateError: it was issued for something else.
        """
        for what, issued, found in (
            ("model", self.model_sha256, model_sha256),
            ("preprocessing", self.preprocess_sha256, preprocess_sha256),
            ("temperatures", self.temperatures, temperatures),
        ):
            if issued != found:
                raise CertificateError(f"certificate: {what}: expected {issued}, found {found}")

    def line(self) -> str:
        """In a sentence, for the finest level with all modalities."""
        whole = max(self.promises, key=lambda name: name.count("+"))
        finest = self.promises[whole][-1]
        if finest.threshold is None:
            return f"{finest.level}: no answer could be certified at {self.max_risk:.1%}"
        return (
            f"{finest.level}: of the answers from probability {finest.threshold:.3f} on at most {self.max_risk:.1%} are wrong "
            f"({self.confidence:.0%} confidence, {whole}); {finest.coverage:.1%} of items are answered"
        )
