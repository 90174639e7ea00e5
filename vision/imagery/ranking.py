"""Which candidate to look at first: whom the rules refuse comes last, then whom the classifiers do not take for the product; and what they say.

Works on what is kept as JSON: reports of `vision.imagery.compliance` and facts that hold a `vision.imagery.likeness.Likeness`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Rank: TypeAlias = tuple[bool, int, bool, bool, int, float]


def rank(reports: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> Rank:
    """To be sorted by, the best first: not checked yet, failed rules, a new defect, another category, warnings, and how unlike the product it looks."""
    found = [finding["status"] for report in reports for finding in report["findings"]]
    identity = facts.get("identity")
    return (
        not reports,
        found.count("fail"),
        facts.get("new_defect") is True,
        facts.get("same_category") is False,
        found.count("warn"),
        0.0 if identity is None else -float(identity),
    )


def complaints(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """What the classifiers have against a candidate, in words; none where they have nothing, or nobody was asked."""
    told = []
    if facts.get("same_category") is False:
        photo, image = (
            " > ".join(facts.get(name) or ()) or "nothing known" for name in ("category", "image_category")
        )
        told.append(f"the photo is taken for {photo}, the image for {image}")
    if facts.get("new_defect") is True:
        told.append("the image shows a defect that the photo does not")
    return tuple(told)
