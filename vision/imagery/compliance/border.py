"""A frame or bars drawn around a picture. Takes pixels, gives the depth of what was drawn on each side."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vision.image import Pixels

_LIKE: Final = 12  # levels within which a band has one colour
_STEP: Final = 24  # levels by which what follows differs
_SHARE: Final = 0.98  # of a line's pixels that have to
_DEEPEST: Final = 0.2  # of the side; deeper, it is what the picture shows
_BLUR_PX: Final = 3  # over which encoding spreads a step
_WHITE: Final = 235  # a band as light as this is taken for the background that a product stands before


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Depths in pixels; 0 where nothing was drawn. Bars have two, a frame four."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __bool__(self) -> bool:
        return max(self.left, self.top, self.right, self.bottom) > 0


def drawn(image_hwc: Pixels) -> Drawn:
    """What was drawn around a picture, uint8 RGB (H, W, 3).

    A band of one colour along a whole side, with a sharp step behind it all along, on two sides that face each other or on all four.
    White bands are not told from the background of a product that fills its frame; so they count as that.
    """
    top, bottom = _depth(image_hwc), _depth(image_hwc[::-1])
    turned = image_hwc.swapaxes(0, 1)
    left, right = _depth(turned), _depth(turned[::-1])
    across, along = bool(top and bottom), bool(left and right)
    return Drawn(
        left=left if along else 0,
        top=top if across else 0,
        right=right if along else 0,
        bottom=bottom if across else 0,
    )


def _depth(image_hwc: Pixels) -> int:
    """How many rows from the top are of the first one's colour, where a step follows; else 0."""
    deepest = int(_DEEPEST * len(image_hwc))
    rows = image_hwc[: deepest + _BLUR_PX + 1].astype(np.int16)
    colour = np.median(rows[0], axis=0)
    if colour.min() >= _WHITE:
        return 0
    away = np.abs(rows - colour).max(axis=2)
    alike = (away <= _LIKE).mean(axis=1) >= _SHARE
    depth = len(alike) if alike.all() else int(np.argmin(alike))
    if not 0 < depth <= deepest or depth + _BLUR_PX >= len(rows):
        return 0
    inner = _without_ends(away[depth + _BLUR_PX], depth)
    return depth if len(inner) and float((inner > _STEP).mean()) >= _SHARE else 0


def _without_ends(row: npt.NDArray[np.int16], depth: int) -> npt.NDArray[np.int16]:
    """Without what bands of about this depth on the other two sides would cover."""
    ends = min(2 * depth + 2 * _BLUR_PX, len(row) // 4)
    return row[ends : len(row) - ends]
