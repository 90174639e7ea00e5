"""An image held against a rule set: one finding a rule, measured on the bytes as they would be uploaded."""

import hashlib

from pydantic import BaseModel, JsonValue

from vision.imagery.compliance.context import Context
from vision.imagery.compliance.measures import Measured, measure
from vision.imagery.compliance.picture import Picture
from vision.imagery.compliance.plan import plan
from vision.imagery.compliance.report import Finding, FindingStatus, Report
from vision.imagery.compliance.rules import Rule, RuleSet


def check(data: bytes, rules: RuleSet, *, context: Context | None = None) -> Report:
    """Hold an encoded image against a rule set.

    Raises:
        ImageError: it cannot be decoded whole (an animated one neither, whatever the marketplace takes).
        ImageryError: the context's mask is not of its size.
    """
    return check_picture(Picture(data, context), rules)


def check_picture(picture: Picture, rules: RuleSet) -> Report:
    """As `check`, for a picture that is held against several rule sets and measured once."""
    found = {rule.id: measure(rule, picture) for rule in rules.rules}
    broken = frozenset(name for name, measured in found.items() if measured.holds is False)
    fixes = plan(picture, rules, broken).remedies if broken else {}
    return Report(
        rule_set=rules.name,
        version=rules.version,
        digest=rules.digest(),
        image=hashlib.sha256(picture.data).hexdigest(),
        findings=tuple(_finding(rule, found[rule.id], fixes.get(rule.id)) for rule in rules.rules),
    )


def _finding(rule: Rule, measured: Measured, fix: str | None) -> Finding:
    return Finding(
        rule=rule.id,
        kind=rule.kind,
        status=_status(rule, measured),
        severity=rule.severity,
        measured=measured.value,
        limit=_limit(rule),
        source=rule.source,
        checked_on=rule.checked_on,
        rule_status=rule.status,
        fix=fix,
        note=measured.note,
    )


def _status(rule: Rule, measured: Measured) -> FindingStatus:
    if measured.holds is None:
        return "not_checked"
    return "pass" if measured.holds else rule.severity


def _limit(rule: Rule) -> JsonValue:
    if isinstance(rule.value, BaseModel):
        limit: JsonValue = rule.value.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        return limit
    return list(rule.value) if isinstance(rule.value, tuple) else rule.value
