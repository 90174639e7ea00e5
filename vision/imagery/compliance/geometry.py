"""How a picture has to be cropped, padded and scaled to keep the rules of framing and size. Takes a picture and what is broken; changes nothing.

A crop shows what was there, and padding goes on with a background of one colour; both leave the product's pixels alone. Scaling does not,
so it is done only where a rule fails without it.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np

from vision.imagery.compliance.framing import MAX_FILL, framing
from vision.imagery.compliance.picture import Picture
from vision.imagery.compliance.product import Product, rim
from vision.imagery.compliance.rules import AspectRule, NumberRule, Rule, RuleSet

MAX_ENLARGED: Final = 1.5  # times; beyond that a product's photograph is no longer one
_ONE_COLOUR: Final = 6  # levels within which a rim can be gone on with
_ONE_COLOUR_SHARE: Final = 0.995
_FRAMED: Final = frozenset({"fill", "centre", "aspect"})
_SIZED: Final = frozenset({"longest_side", "shortest_side", "pixels"})

Wh: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rect:
    """A part of a picture in its pixels; it may reach beyond it."""

    left: int
    top: int
    width: int
    height: int

    @property
    def size_wh(self) -> Wh:
        return self.width, self.height

    def inside(self, size_wh: Wh) -> bool:
        right, bottom = self.left + self.width, self.top + self.height
        return self.left >= 0 and self.top >= 0 and right <= size_wh[0] and bottom <= size_wh[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """What to do about framing and size.

    Attributes:
        rect: what to keep of the picture; all of it where absent.
        size_wh: what to scale that to; its own size where absent.
        problems: why a rule cannot be helped, by its id.
    """

    rect: Rect | None = None
    size_wh: Wh | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


def geometry(picture: Picture, rules: RuleSet, asked: Sequence[Rule], *, whitened: bool) -> Geometry:
    """What to do about the rules asked about.

    Args:
        whitened: whether the background will be made pure white before.
    """
    framed = [rule for rule in asked if rule.kind in _FRAMED]
    sized = [rule for rule in asked if rule.kind in _SIZED]
    if not framed:
        size_wh, why = _scaled(picture.size_wh, rules)
        return Geometry(size_wh=size_wh, problems=_problems(sized, picture, size_wh, why))
    rect = _rect(picture, rules, framed, whitened=whitened)
    if isinstance(rect, Rect):
        size_wh, why = _scaled(rect.size_wh, rules)
        if not why:
            return Geometry(
                rect=rect, size_wh=size_wh, problems=_problems(sized, picture, size_wh or rect.size_wh, why)
            )
        rect = f"framed anew, {why}"
    left = geometry(picture, rules, sized, whitened=whitened)
    return Geometry(size_wh=left.size_wh, problems={**left.problems, **{rule.id: rect for rule in framed}})


def _problems(sized: Sequence[Rule], picture: Picture, size_wh: Wh | None, why: str) -> dict[str, str]:
    """What remains broken at this size."""
    small = "enlarged it would show no more than it does"
    return {
        rule.id: why or small
        for rule in sized
        if isinstance(rule, NumberRule) and not _holds(rule, size_wh or picture.size_wh)
    }


def _holds(rule: NumberRule, size_wh: Wh) -> bool:
    measured = {
        "longest_side": max(size_wh),
        "shortest_side": min(size_wh),
        "pixels": size_wh[0] * size_wh[1],
    }
    return rule.value.holds(measured[rule.kind])


def _scaled(size_wh: Wh, rules: RuleSet) -> tuple[Wh | None, str]:
    """The size that keeps all limits, where it is another one; and why there is none."""
    numbers = [rule for rule in rules.rules if isinstance(rule, NumberRule) and rule.kind in _SIZED]
    need = max(
        (
            _factor(rule.kind, rule.value.min, size_wh)
            for rule in numbers
            if rule.value.min and rule.severity == "fail"
        ),
        default=0.0,
    )
    room = min(
        (_factor(rule.kind, rule.value.max, size_wh) for rule in numbers if rule.value.max), default=math.inf
    )
    if need > room:
        return None, "no size keeps both the least and the largest that is allowed"
    if need > MAX_ENLARGED:
        return (
            None,
            f"it would have to be enlarged {need:.2f} times; more than {MAX_ENLARGED} shows no product any more",
        )
    if need > 1:
        return (math.ceil(size_wh[0] * need - 1e-6), math.ceil(size_wh[1] * need - 1e-6)), ""
    if room < 1:
        return (
            max(1, math.floor(size_wh[0] * room + 1e-6)),
            max(1, math.floor(size_wh[1] * room + 1e-6)),
        ), ""
    return None, ""


def _factor(kind: str, limit: float, size_wh: Wh) -> float:
    if kind == "pixels":
        return math.sqrt(limit / (size_wh[0] * size_wh[1]))
    return limit / (max(size_wh) if kind == "longest_side" else min(size_wh))


def _rect(picture: Picture, rules: RuleSet, framed: Sequence[Rule], *, whitened: bool) -> Rect | str:
    """The part of the picture that keeps the rules of framing, or why there is none."""
    kinds = {rule.kind for rule in framed}
    product = picture.product
    if isinstance(product, str):
        if kinds != {"aspect"}:
            return product
    elif product.touches(picture.size_wh):
        return "the frame cuts the product"
    if picture.border:
        return "something is drawn around the picture"
    size_wh = (
        _padded(picture, rules)
        if kinds == {"aspect"} or isinstance(product, str)
        else _around(picture.size_wh, product, rules, kinds)
    )
    if size_wh is None:
        return "the product fits no allowed shape of frame as it has to"
    centre_xy = (
        product.centre_xy if isinstance(product, Product) and kinds != {"aspect"} else _middle(picture)
    )
    left, top = (round(centre - side / 2) for centre, side in zip(centre_xy, size_wh, strict=True))
    rect = Rect(left=left, top=top, width=size_wh[0], height=size_wh[1])
    if rect.inside(picture.size_wh) or whitened or _one_colour(picture):
        return rect
    return "the background is not of one colour, so it cannot be gone on with"


def _padded(picture: Picture, rules: RuleSet) -> Wh:
    """The whole picture in the allowed shape that is nearest to its own."""
    width, height = picture.size_wh
    ratio = min(_ratios(rules), key=lambda one: abs(math.log(one / (width / height))))
    return max(width, round(height * ratio)), max(height, round(width / ratio))


def _around(size_wh: Wh, product: Product, rules: RuleSet, kinds: Collection[str]) -> Wh | None:
    """The frame that the product fills as it should, of the picture's own shape where that is allowed and possible."""
    width, height = size_wh
    if kinds == {"centre"}:
        return width, height
    numbers = framing(rules)
    own = [] if "aspect" in kinds else [width / height]
    fill = numbers.fill_target if "fill" in kinds else product.longest_px / max(width, height)
    longest = product.longest_px / fill
    left, top, right, bottom = product.box_xyxy
    for ratio in [*own, *sorted(_ratios(rules), key=lambda one: abs(math.log(one / (width / height))))]:
        frame_wh = round(longest * min(1.0, ratio)), round(longest / max(1.0, ratio))
        if right - left <= MAX_FILL * frame_wh[0] and bottom - top <= MAX_FILL * frame_wh[1]:
            return frame_wh
    return None


def _ratios(rules: RuleSet) -> tuple[float, ...]:
    asked = next((rule.value.ratios for rule in rules.rules if isinstance(rule, AspectRule)), ((1, 1),))
    return tuple(width / height for width, height in asked)


def _middle(picture: Picture) -> tuple[float, float]:
    return picture.size_wh[0] / 2, picture.size_wh[1] / 2


def _one_colour(picture: Picture) -> bool:
    """Whether the rim is so even that its colour can be gone on with."""
    pixels = rim(picture.image_hwc, max(1, min(picture.size_wh) // 100)).astype(np.int16)
    away = np.abs(pixels - np.asarray(picture.background.colour, np.int16)).max(axis=1)
    return float((away <= _ONE_COLOUR).mean()) >= _ONE_COLOUR_SHARE
