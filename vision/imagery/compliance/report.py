"""What was found of an image: one finding a rule, and what follows from them all. Machine-readable; it holds no pixels."""

from datetime import date
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, computed_field

from vision.imagery.compliance.rules import Severity, Status

FindingStatus: TypeAlias = Literal["pass", "warn", "fail", "not_checked"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Finding(_Value):
    """What one rule found.

    Attributes:
        status: a broken rule has its severity's; `not_checked` is neither good nor bad, and `note` says what was missing.
        measured: as the rule's kind has it: a number, a name, a list of words.
        limit: the rule's value.
        rule_status: how well the rule itself is known.
        fix: what `fix` would do; nothing where the rule holds or only a person can help.
        note: in words, what was found, where the numbers do not say it.
    """

    rule: str
    kind: str
    status: FindingStatus
    severity: Severity
    measured: JsonValue
    limit: JsonValue
    source: str
    checked_on: date
    rule_status: Status
    fix: str | None = None
    note: str = ""


class Report(_Value):
    """What one rule set says of one image.

    Attributes:
        digest: of the rule set, SHA-256.
        image: SHA-256 of the bytes that were checked.
    """

    rule_set: str
    version: int
    digest: str = Field(pattern=r"[0-9a-f]{64}")
    image: str = Field(pattern=r"[0-9a-f]{64}")
    findings: tuple[Finding, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def status(self) -> Literal["pass", "warn", "fail"]:
        """The worst finding; what was not checked counts as a warning."""
        found = {finding.status for finding in self.findings}
        if "fail" in found:
            return "fail"
        return "warn" if found & {"warn", "not_checked"} else "pass"

    @property
    def ok(self) -> bool:
        """Whether no rule fails the image."""
        return self.status != "fail"

    def broken(self) -> tuple[str, ...]:
        """Ids of the rules that do not hold, whatever their severity."""
        return tuple(finding.rule for finding in self.findings if finding.status in {"warn", "fail"})
