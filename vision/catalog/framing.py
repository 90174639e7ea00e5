"""How a product lies in its photo, where a plain background lets the two be told apart: cut by the border, tiny, or not there at all.

Takes a prepared picture, gives how much of the border the product covers and how far it reaches across the frame; of a photo without a plain
background, such as a scene, nothing is said. Light that falls off slowly is part of the background: it is a surface of second order in each
colour, fitted to the border, from which a product differs. Limits come from photos that were good enough to learn from, as those of
`vision.inspection.quality`; they are data in the bundle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Final

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from vision.image import Pixels

_SIDE: Final = 64  # pixels to which a photo is reduced: noise is averaged away, a product of a twentieth of the frame is left
_BORDER: Final = 2  # of these, the width of the border
_FIRST_GUESS: Final = 40  # levels about the border's commonest colour, within which it may be background
_NEAR: Final = 10  # levels about the surface, within which it is
_ROUNDS: Final = 3
_PLAIN: Final = 0.25  # share of the border that must be background
_SMOOTH: Final = 4.0  # levels (root mean square) by which background leaves the surface at most
_SOME: Final = 40  # pixels of the border, among which its commonest colour is looked for
_STIFF: Final = 1e-3 * np.diag(
    [0, 1, 1, 10, 10, 10]
)  # holds the surface where little of the border is background
_MOST: Final = (0.01, 0.99)  # of the product's pixels: what counts for its box

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """Measures of one photo with a plain background.

    Attributes:
        cut: share of the border that is no background, 0..1.
        reach: longer side of the box around all that is no background, over the frame's side, 0..1.
    """

    cut: float
    reach: float


class FramingLimits(BaseModel):
    """What a photo with a plain background must keep to show its product."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_cut: Annotated[float, Field(ge=0, le=1)] = 1.0
    min_reach: Annotated[float, Field(ge=0, le=1)] = 0.1

    def fault(self, framing: Framing | None) -> str | None:
        """What is wrong with a photo, in words; nothing if it shows its product, or if that cannot be told."""
        if framing is None:
            return None
        if framing.reach == 0:
            return "no product: nothing but a plain background"
        if framing.reach < self.min_reach:
            return f"product too small: share of the frame's side {framing.reach:.4g}, limit {self.min_reach:.4g}"
        if framing.cut > self.max_cut:
            return f"product cut off: share of the border {framing.cut:.4g}, limit {self.max_cut:.4g}"
        return None


def measure(image_hwc: Pixels) -> Framing | None:
    """Measure a prepared picture, uint8 RGB (H, W, 3); nothing where its background is not plain."""
    small = cv2.resize(image_hwc, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    terms, on_border = _grid()
    background = _background(small[on_border], terms[on_border])
    if background is None:
        return None
    product = _largest(small - _on(terms, background)) > _NEAR
    return Framing(cut=float(product[on_border].mean()), reach=_reach(product))


def _background(border: Floats, terms: Floats) -> Floats | None:
    """Coefficients (6, 3) of the surface that a plain part of a border's pixels (B, 3) lies on; nothing where they lie on none.

    Args:
        terms: (B, 6), of the surface, at these pixels.
    """
    some = border[:: len(border) // _SOME]
    votes = (_largest(some - some[:, None]) < _NEAR).sum(axis=1)
    away, within, surface = _largest(border - some[votes.argmax()]), _FIRST_GUESS, None
    for _ in range(_ROUNDS):
        near = away < within
        if near.mean() < _PLAIN:
            return None
        known = terms[near]
        surface = np.asarray(np.linalg.solve(known.T @ known + _STIFF, known.T @ border[near]), np.float32)
        away, within = _largest(border - _on(terms, surface)), _NEAR
    near = away < _NEAR
    rough = np.sqrt(np.square(away[near]).mean()) if near.mean() >= _PLAIN else np.inf
    return None if rough > _SMOOTH else surface


def _largest(difference: Floats) -> Floats:
    """Largest absolute difference over the colours, the last axis (3,); three arrays are quicker than `max(axis=-1)` over so short a one."""
    red, green, blue = np.moveaxis(np.abs(difference), -1, 0)
    return np.asarray(np.maximum(np.maximum(red, green), blue))


def _on(terms: Floats, surface: Floats) -> Floats:
    """The surface at some pixels, (..., 3).

    Products as small as here stay in the thread that asks for them; large ones would wake others, which then spin (docs/log.md, 2026-11-28).
    """
    return np.asarray(terms @ surface)


def _reach(product: npt.NDArray[np.bool_]) -> float:
    """Longer side of the box around it, specks aside, over the picture's side."""
    kept = cv2.medianBlur(product.astype(np.uint8), 3) > 0
    if not kept.any():
        return 0.0
    sides = []
    for axis in (0, 1):
        counted = np.cumsum(np.count_nonzero(kept, axis=axis))
        first, last = np.searchsorted(counted, np.array(_MOST) * counted[-1])
        sides.append(last - first + 1)
    return float(max(sides)) / _SIDE


@cache
def _grid() -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The terms of a surface of second order at every pixel, (side, side, 6), and which pixels are the border."""
    y, x = np.mgrid[-1 : 1 : _SIDE * 1j, -1 : 1 : _SIDE * 1j]
    inner = np.zeros((_SIDE, _SIDE), bool)
    inner[_BORDER:-_BORDER, _BORDER:-_BORDER] = True
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=2).astype(np.float32), ~inner


def limits_from(measured: Sequence[Framing | None]) -> FramingLimits:
    """Limits around photos that people took for usable, their extremes widened as `vision.inspection.quality.limits_from` does it.

    Where models are photographed, whom the border cuts, that is learned; where products lie free, one may still be cut along a side, since
    what is left of it mostly tells what it is.
    """
    known = [one for one in measured if one is not None]
    if not known:
        return FramingLimits()
    return FramingLimits(
        max_cut=round(min(1.0, 1.5 * max(one.cut for one in known) + 0.3), 4),
        min_reach=round(0.5 * min(one.reach for one in known), 4),
    )
