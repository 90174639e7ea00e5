"""Pictures and classes out of the ordinary: dark, washed out, blurred, oddly sized; missing, few, outnumbered.

Takes looks or counts, gives findings. Pictures are held against the rest of their own set, for a dark field
camera's usual picture is another's failure; what is good enough for a model is not known here.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from training.findings import Finding, Kind, and_more
from training.looks import Look

USUAL: Final = 20
"""Among fewer pictures than this, none is called unusual."""

SPREADS: Final = 4.0
"""How many robust standard deviations (1.4826 x the median absolute deviation) from the median are unusual: of
normal values, one in 30,000 lies beyond on one side."""

ASPECT: Final = 1.25
"""A picture this much wider or narrower than nine in ten of the set: stretched to one input, its parts look
distorted."""

SIZE: Final = 2.0
"""A picture this much larger or smaller in each direction than nine in ten of the set."""

FEW: Final = 20
"""Below this many pictures of a class in a split, one picture moves its rate by more than five points."""

RARE: Final = 0.1
"""A class smaller than this share of the largest hides its errors in every overall figure."""


@dataclass(frozen=True, slots=True)
class _Measure:
    """A value of a look, the unusual side of it, and the least deviation that anybody would see.

    In a set lit and focused alike, four standard deviations may still be invisible: hence `least`.
    """

    kind: Kind
    name: str
    value: Callable[[Look], float]
    side: int  # -1: too low, +1: too high
    least: float
    show: Callable[[float], str]


_MEASURES: Final = (
    _Measure(
        "dark", "a mean brightness (of 255)", lambda look: look.luma, -1, 25.0, lambda value: f"{value:.0f}"
    ),
    _Measure(
        "washed-out",
        "a share of white pixels",
        lambda look: look.clipped,
        1,
        0.2,
        lambda value: f"{value:.0%}",
    ),
    _Measure(  # two powers of two: a quarter of the variance, half of the edge strength
        "blurred", "a sharpness", lambda look: look.sharpness, -1, 2.0, lambda value: f"{2**value:.1f}"
    ),
)


def unusual_pictures(looks: Sequence[Look]) -> list[Finding]:
    """Pictures that are darker, whiter, less sharp or otherwise shaped than their set, the furthest off first."""
    if len(looks) < USUAL:
        return []
    found = [_beyond(looks, measure) for measure in _MEASURES]
    return [finding for finding in (*found, _odd_sizes(looks)) if finding is not None]


def unusual_classes(counts: Mapping[str, Mapping[str, int]], good: str | None) -> Iterator[Finding]:
    """Labels that a split lacks or has too few of, and sides that are outnumbered.

    Args:
        counts: pictures a split and label, zeros included.
        good: when known, all other labels together are held against it, as the verdict does.
    """
    for split, labels in counts.items():
        yield from _missing(split, labels, good)
        few = sorted((count, label) for label, count in labels.items() if 0 < count < FEW)
        if few:
            yield Finding(
                kind="few-pictures",
                severity="warning",
                message=f"{split}: expected at least {FEW} pictures of each label, "
                f"found {few[0][0]} of '{few[0][1]}'{and_more(few)}",
            )
        yield from _outnumbered(split, _sides(labels, good))


def _beyond(looks: Sequence[Look], measure: _Measure) -> Finding | None:
    values = np.array([measure.value(look) for look in looks])
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    limit = middle + measure.side * max(SPREADS * spread, measure.least)
    off = (values - limit) * measure.side
    order = [index for index in np.argsort(-off, kind="stable") if off[index] > 0]
    if not order:
        return None
    bound = "least" if measure.side < 0 else "most"
    return Finding(
        kind=measure.kind,
        severity="warning",
        message=f"{looks[order[0]].path}: expected {measure.name} of at {bound} {measure.show(limit)} "
        f"(usual here: {measure.show(middle)}), found {measure.show(values[order[0]])}{and_more(order)}",
        paths=tuple(str(looks[index].path) for index in order),
    )


def _odd_sizes(looks: Sequence[Look]) -> Finding | None:
    sides = np.log([look.size_wh for look in looks])
    off = np.maximum(
        _outside(sides[:, 0] - sides[:, 1]) - math.log(ASPECT), _outside(sides.mean(axis=1)) - math.log(SIZE)
    )
    order = [index for index in np.argsort(-off, kind="stable") if off[index] > 1e-9]  # logarithms round
    if not order:
        return None
    usual = Counter(look.size_wh for look in looks).most_common(1)[0][0]
    worst = looks[order[0]]
    return Finding(
        kind="odd-size",
        severity="warning",
        message=f"{worst.path}: expected a size and shape near the usual {usual[0]}x{usual[1]}, "
        f"found {worst.size_wh[0]}x{worst.size_wh[1]}{and_more(order)}",
        paths=tuple(str(looks[index].path) for index in order),
    )


def _outside(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How far each value lies outside the range of the middle nine tenths."""
    low, high = np.quantile(values, (0.05, 0.95))
    return np.asarray(np.maximum(values - high, low - values))


def _missing(split: str, labels: Mapping[str, int], good: str | None) -> Iterator[Finding]:
    missing = [label for label, count in labels.items() if not count]
    if not missing:
        return
    one_sided = good is not None and 0 in _sides(labels, good).values()
    named = ", ".join(f"'{label}'" for label in missing[:3])
    yield Finding(
        kind="missing-class",
        severity="error" if split == "train" or one_sided else "warning",
        message=f"{split}: expected pictures of every label, found none of {named}{and_more(missing, 3)}",
    )


def _sides(labels: Mapping[str, int], good: str | None) -> dict[str, int]:
    others = {label: count for label, count in labels.items() if label != good}
    if good is None or len(others) < 2:
        return dict(labels)
    return {good: labels[good], f"not {good}": sum(others.values())}


def _outnumbered(split: str, sides: Mapping[str, int]) -> Iterator[Finding]:
    largest = max(sides, key=lambda label: sides[label])
    least = math.ceil(RARE * sides[largest])
    rare = sorted((count, label) for label, count in sides.items() if 0 < count < least)
    if rare:
        yield Finding(
            kind="imbalance",
            severity="warning",
            message=f"{split}: expected at least {least} pictures ({RARE:.0%} of the {sides[largest]} of "
            f"'{largest}'), found {rare[0][0]} of '{rare[0][1]}'{and_more(rare)}",
        )
