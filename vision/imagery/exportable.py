"""Whether images of a brief can leave the house at all, told before they are made: scene model, label policy and rules against each other.

What depends on pixels, the rule sets say once there are some.
"""

from vision.errors import ImageryError
from vision.imagery.brief import Brief
from vision.imagery.compliance import rule_set
from vision.imagery.compliance.rules import Rule
from vision.imagery.create import UNTRAINED
from vision.imagery.cutout.photo import PHOTO_LIMITS
from vision.imagery.labels.carriers import read_metadata
from vision.imagery.labels.policy import LabelPolicy, Labels
from vision.imagery.labels.source import SourceType


def check_exportable(brief: Brief, policy: LabelPolicy, photo: bytes) -> None:
    """Refuse a brief of which no image could be exported for each of its rule sets.

    Raises:
        ImageryError: a rule set is unknown, the policy is not for such images or lacks what it needs, or its labels break a rule; the message says
            what to change.
        ImageError: the photo is no picture.
    """
    asked = [rule_set(name) for name in brief.rules]
    trained = brief.generator not in UNTRAINED
    synthetic = trained or read_metadata(photo, name="photo", limits=PHOTO_LIMITS).synthetic
    labels = policy.labels(synthetic=synthetic, otherwise=SourceType.COMPOSITE, number="0" * 64)
    if not synthetic:
        return
    for rules in asked:
        for rule in rules.rules:
            broken = _broken(rule, labels) if rule.severity == "fail" else ""
            if broken:
                whose = (
                    f"scenes by {brief.generator}" if trained else "a photo that is labelled as made with AI"
                )
                raise ImageryError(
                    f"label policy {policy.name}, {rules.name}: for images with {whose} the policy {broken} ({rule.id}): "
                    f"expected another label policy{_or_waived(policy, rule)}, other rules or a scene without a trained model"
                )


def _broken(rule: Rule, labels: Labels) -> str:
    """How the labels of a synthetic image break a rule; empty where they do not."""
    if rule.kind == "no_text" and labels.explicit and not rule.value.allowed:
        return "draws a visible label, and the rules forbid text"
    if rule.kind == "aigc" and labels.aigc is None:
        return "writes no AIGC label, and the rules ask for one"
    if rule.kind == "source_type" and labels.source not in rule.value:
        return f"calls them {labels.source}, and the rules ask for {' or '.join(rule.value)}"
    return ""


def _or_waived(policy: LabelPolicy, rule: Rule) -> str:
    return ", a waiver of the visible label" if rule.kind == "no_text" and policy.waivable else ""
