"""What can be done about broken rules without a person, and why not about the others. Takes a picture and what is broken; changes nothing."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from vision.imagery.compliance.geometry import Geometry, geometry
from vision.imagery.compliance.measures import SUFFIXES
from vision.imagery.compliance.picture import Picture
from vision.imagery.compliance.product import Product, darkest
from vision.imagery.compliance.rules import FormatRule, NumberRule, Rule, RuleSet, White, WhiteBackgroundRule
from vision.imagery.compliance.white import NEAR_WHITE, faults

WRITTEN: Final = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
_EXPORT: Final = "labels are written when an image is exported, by who knows how it was made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do, in this order: colours, transparency, background, frame and size, encoding.

    Attributes:
        remedies: of the broken rules that can be helped, what will be done, by rule.
        unfixable: of the others, why they cannot.
        kinds: of the rules that are helped.
        white: what the background has to keep, where it is made white.
        format: to encode as, where that is done at all.
        max_bytes: of the file.
        encodes: whether the file is written anew; a wrong name alone does not take that.
    """

    remedies: Mapping[str, str]
    unfixable: Mapping[str, str]
    kinds: frozenset[str]
    white: White | None
    geometry: Geometry
    format: str
    max_bytes: int | None
    encodes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    picture: Picture
    rules: RuleSet
    geometry: Geometry
    format: str


@dataclass(frozen=True, slots=True)
class _Unfixable:
    reason: str


def plan(
    picture: Picture, rules: RuleSet, broken: Collection[str], *, image_format: str | None = None
) -> Plan:
    """What to do about the rules of these ids.

    Args:
        image_format: wanted of the file, where the rules allow it; its own by default.
    """
    asked = [rule for rule in rules.rules if rule.id in broken]
    stuck = _stuck(picture)
    white = next((rule for rule in asked if isinstance(rule, WhiteBackgroundRule)), None)
    whitened = white is not None and not _stained(picture, white.value)
    case = _Case(
        picture=picture,
        rules=rules,
        geometry=geometry(picture, rules, asked, whitened=whitened),
        format=picture.header.format
        if stuck
        else _format(picture, rules, image_format, smaller=any(rule.kind == "bytes" for rule in asked)),
    )
    answers = {rule.id: _answer(rule, case, stuck) for rule in asked}
    remedies = {name: answer for name, answer in answers.items() if isinstance(answer, str)}
    kinds = frozenset(rule.kind for rule in asked if rule.id in remedies)
    return Plan(
        remedies=remedies,
        unfixable={name: answer.reason for name, answer in answers.items() if isinstance(answer, _Unfixable)},
        kinds=kinds,
        white=white.value if white is not None and whitened else None,
        geometry=case.geometry,
        format=case.format,
        max_bytes=_max_bytes(rules),
        encodes=bool(kinds - {"extension"})
        or (image_format is not None and case.format != picture.header.format),
    )


def named(name: str, image_format: str) -> str:
    """The file's name with the suffix of its format."""
    return str(PurePath(name).with_suffix(SUFFIXES[image_format][0]))


def _stuck(picture: Picture) -> str:
    """Why the file cannot be written anew; nothing where it can."""
    found = picture.colours
    if found.srgb or found.profile is not None:
        return ""
    return f"its colours are of {found.name}, and no RGB profile says which of sRGB's they are: convert it where it was made"


def _answer(rule: Rule, case: _Case, stuck: str) -> str | _Unfixable:
    """What can be done; where the file cannot be written anew, it can be called by its right name at most."""
    answer = _ANSWERS[rule.kind](rule, case)
    return _Unfixable(stuck) if stuck and isinstance(answer, str) and rule.kind != "extension" else answer


def _format(picture: Picture, rules: RuleSet, wanted: str | None, *, smaller: bool) -> str:
    """The format wanted, or the picture's own, where it is allowed and can be made small enough; else the first that is."""
    allowed = next((rule.value for rule in rules.rules if isinstance(rule, FormatRule)), WRITTEN)
    own = picture.header.format
    order = ("JPEG",) if smaller else (wanted, own, *WRITTEN)
    return next((one for one in order if one is not None and one in allowed), own)


def _max_bytes(rules: RuleSet) -> int | None:
    limits = [rule.value.max for rule in rules.rules if isinstance(rule, NumberRule) and rule.kind == "bytes"]
    return min((int(limit) for limit in limits if limit is not None), default=None)


def _stained(picture: Picture, rule: White) -> str:
    """Why a background cannot be made white; nothing where it can."""
    product = picture.product
    if not isinstance(product, Product):
        return product
    darkest_hw = darkest(picture.image_hwc)
    beyond, border, halo = faults(darkest_hw, product, rule)
    dark = int(((beyond | border | halo) & (darkest_hw < NEAR_WHITE)).sum())
    return (
        f"{dark} pixels of it are darker than {NEAR_WHITE}: that is no white that came out badly"
        if dark
        else ""
    )


def _reencode(rule: Rule, case: _Case) -> str | _Unfixable:
    if isinstance(rule, FormatRule) and case.format not in rule.value:
        return _Unfixable(f"none of {', '.join(rule.value)} is written here")
    return f"encode as {case.format}"


def _shrink(_: Rule, case: _Case) -> str | _Unfixable:
    if case.format != "JPEG":
        return _Unfixable("JPEG alone can be made smaller, and it is not allowed here")
    return "encode as JPEG, of lower quality where that is needed"


def _rename(_: Rule, case: _Case) -> str | _Unfixable:
    return f"name it {named(case.picture.name, case.format)}"


def _whiten(rule: WhiteBackgroundRule, case: _Case) -> str | _Unfixable:
    reason = _stained(case.picture, rule.value)
    return _Unfixable(reason) if reason else "make what is nearly white around the product pure white"


def _reframe(rule: Rule, case: _Case) -> str | _Unfixable:
    problem = case.geometry.problems.get(rule.id)
    if problem is not None:
        return _Unfixable(problem)
    rect, size_wh = case.geometry.rect, case.geometry.size_wh
    done = [f"crop or pad to {rect.width}x{rect.height}"] if rect else []
    return ", ".join([*done, *([f"scale to {size_wh[0]}x{size_wh[1]}"] if size_wh else [])])


def _says(text: str) -> Callable[[Rule, _Case], str | _Unfixable]:
    return lambda _rule, _case: text


def _person(reason: str) -> Callable[[Rule, _Case], str | _Unfixable]:
    return lambda _rule, _case: _Unfixable(reason)


_ANSWERS: Final[Mapping[str, Callable[[Any, _Case], str | _Unfixable]]] = {
    "format": _reencode,
    "extension": _rename,
    "bytes": _shrink,
    "pixels": _reframe,
    "longest_side": _reframe,
    "shortest_side": _reframe,
    "aspect": _reframe,
    "colour_space": _says("turn the colours into sRGB's"),
    "opaque": _says("lay it on white"),
    "white_background": _whiten,
    "fill": _reframe,
    "centre": _reframe,
    "whole": _person("the frame cuts the product: it takes another photograph"),
    "no_border": _person("what is drawn around the picture covers what was there: crop it by hand"),
    "no_text": _person("what is written over the picture covers what was there"),
    "source_type": _person(_EXPORT),
    "aigc": _person(_EXPORT),
}
