"""The numbers of a rule set that decide how a product is placed, before there is an image to check."""

from dataclasses import dataclass
from typing import Final

from vision.imagery.compliance.rules import (
    AspectRule,
    CentreRule,
    FillRule,
    NumberRule,
    RuleSet,
    WhiteBackgroundRule,
)

_FILL: Final = (0.6, 0.95)  # where a rule set says nothing: neither lost in the frame nor pressed against it
MAX_FILL: Final = 0.95  # of ours: JPEG needs some white between product and border
_CENTRE: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """How a product stands in the frame.

    Attributes:
        fill_low, fill_high: the longest side of the product's box against the frame's longest side, 0 to 1.
        fill_target: between the two, what to place by.
        centre: how far the middle of the box may be from the frame's, as a share of the frame's side.
        white_background: whether everything but the product has to be pure white, shadows included.
        ratios: of width to height that are allowed; any, where there are none.
        shortest_px, longest_px: what the frame's shortest and longest side have to have at least.
        recommended_px: what its shortest side should have.
        max_px: what its longest side may have at most.
    """

    fill_low: float
    fill_high: float
    fill_target: float
    centre: float
    white_background: bool
    ratios: tuple[tuple[int, int], ...]
    shortest_px: int
    longest_px: int
    recommended_px: int
    max_px: int | None

    @property
    def min_side(self) -> int:
        """Sides of a square frame that no rule fails for being small."""
        return max(self.shortest_px, self.longest_px)


def framing(rules: RuleSet) -> Framing:
    """What a rule set says of placing; of what it does not say, our own habit."""
    fill = next((rule.value for rule in rules.rules if isinstance(rule, FillRule)), None)
    low = fill.min if fill and fill.min is not None else _FILL[0]
    high = min(fill.max if fill and fill.max is not None else _FILL[1], MAX_FILL)
    failing = {kind: _least(rules, kind, ("fail",)) for kind in ("shortest_side", "longest_side")}
    return Framing(
        fill_low=low,
        fill_high=high,
        fill_target=round((low + high) / 2, 4),
        centre=next((rule.value for rule in rules.rules if isinstance(rule, CentreRule)), _CENTRE),
        white_background=any(isinstance(rule, WhiteBackgroundRule) for rule in rules.rules),
        ratios=next((rule.value.ratios for rule in rules.rules if isinstance(rule, AspectRule)), ()),
        shortest_px=failing["shortest_side"],
        longest_px=failing["longest_side"],
        recommended_px=max(_least(rules, kind, ("fail", "warn")) for kind in failing),
        max_px=_most(rules),
    )


def _least(rules: RuleSet, kind: str, severities: tuple[str, ...]) -> int:
    sides = [
        int(rule.value.min)
        for rule in rules.rules
        if isinstance(rule, NumberRule) and rule.kind == kind and rule.severity in severities
        if rule.value.min is not None
    ]
    return max(sides, default=0)


def _most(rules: RuleSet) -> int | None:
    sides = [
        int(rule.value.max)
        for rule in rules.rules
        if isinstance(rule, NumberRule) and rule.kind in {"longest_side", "shortest_side"}
        if rule.value.max is not None
    ]
    return min(sides, default=None)
