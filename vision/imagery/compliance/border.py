"""A frame, bars or a line drawn around a picture. Takes pixels, gives how deep it goes on each side."""

from dataclasses import astuple, dataclass
from typing import Final

import numpy as np

from vision.image import Pixels
from vision.imagery.compliance.product import deviation

_LIKE: Final = 12  # levels within which a band has one colour
_STEP: Final = 24  # levels by which what follows differs
_SHARE: Final = 0.98  # of a row's pixels that have to
_DEEPEST: Final = 0.2  # of the side; deeper, it is what the picture shows
_LINE: Final = 0.03  # of the side: the thickest line that is drawn around
_BLUR_PX: Final = 3  # over which encoding spreads a step
_WHITE: Final = 235  # a band as light as this is taken for the background that a product stands before
_BACK: Final = 0.5  # of a row that is the background again behind a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Depths in pixels, a line's with the band outside it; 0 where nothing was drawn. Bars have two, a frame four."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __bool__(self) -> bool:
        return any(astuple(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One side, turned to the top.

    Attributes:
        away_hw: levels from the band's colour, a little more of them than a band can have.
        depth: rows of that colour from the border; 0 where it goes on too deep to be one.
        white: whether that is as light as a background.
    """

    away_hw: Pixels
    depth: int
    white: bool


def drawn(image_hwc: Pixels) -> Drawn:
    """What was drawn around a picture, uint8 RGB (H, W, 3).

    A band of one colour along a whole side, with a sharp step behind it all along: on all four sides, or along two that face each
    other from end to end. A white band is not told from the background of a product that fills its frame and counts as that, unless
    there is a line behind it and white again.
    """
    turned = image_hwc.swapaxes(0, 1)
    top, bottom, left, right = map(_side, (image_hwc, image_hwc[::-1], turned, turned[::-1]))
    frame = (
        _end(left, top, bottom),
        _end(top, left, right),
        _end(right, top, bottom),
        _end(bottom, left, right),
    )
    if all(frame):
        return Drawn(left=frame[0], top=frame[1], right=frame[2], bottom=frame[3])
    for one, other in ((top, bottom), (left, right)):
        bars = _end(one), _end(other)
        if all(bars):
            return Drawn(top=bars[0], bottom=bars[1]) if one is top else Drawn(left=bars[0], right=bars[1])
    return Drawn()


def _side(image_hwc: Pixels) -> _Side:
    """The band along the top."""
    deepest, line = (int(share * len(image_hwc)) for share in (_DEEPEST, _LINE))
    rows = np.ascontiguousarray(image_hwc[: deepest + line + 2 * _BLUR_PX + 1])
    red, green, blue = (int(level) for level in np.median(rows[0], axis=0))
    away = deviation(rows, (red, green, blue))
    alike = (away <= _LIKE).mean(axis=1) >= _SHARE
    depth = len(alike) if alike.all() else int(np.argmin(alike))
    return _Side(away_hw=away, depth=depth if depth <= deepest else 0, white=min(red, green, blue) >= _WHITE)


def _end(side: _Side, *beside: _Side) -> int:
    """Where what was drawn ends, between the bands on the two sides beside it where there are some; 0 where nothing was."""
    if side.depth == 0:
        return 0
    ends = [one.depth + _BLUR_PX for one in beside] or [0, 0]
    inner = side.away_hw[:, ends[0] : side.away_hw.shape[1] - ends[1]]
    if inner.shape[1] == 0:
        return 0
    stepped = (inner > _STEP).mean(axis=1) >= _SHARE
    if not side.white:
        behind = min(side.depth + _BLUR_PX, len(stepped) - 1)
        return side.depth if stepped[behind] else 0
    back = (inner[side.depth :] <= _LIKE).mean(axis=1) >= _BACK
    end = side.depth + int(np.argmax(back))
    return end if back.any() and stepped[side.depth : end].any() else 0
