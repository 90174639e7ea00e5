"""What a product's outline takes from the light on the table: a dark line where it stands, and a soft shadow away from the light.

Takes the placed alpha and the layout of the scene, gives how much light is missing where. Worked out at a quarter of a large frame's size,
as shadows are soft, and in whole numbers. It is laid on the scene; the product covers what of it would fall on itself.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from vision.image import Pixels
from vision.imagery.brief import Layout, Light
from vision.imagery.compose.place import Box, Placed
from vision.imagery.compose.sampling import sample

_WORKED_AT: Final = 1024  # px of the longest side, at most
# Lengths are shares of the frame's longest side, strengths the share of light that is taken.
_CONTACT: Final = 0.55
_CONTACT_DEPTH: Final = 0.008
_FOOT: Final = 0.08  # of the product's height: what of it counts as standing on the table
_CAST: Final = 0.38
_NEAR: Final = 0.004  # softness at the foot and at the far end
_FAR: Final = 0.025
_EDGE: Final = 0.02  # over which it ends at the table's far edge


@dataclass(frozen=True, slots=True)
class Fall:
    """How a shadow lies: per pixel of the product's height, so much to the right and so much backwards on the table."""

    right: float
    back: float


_FALLS: Final = {
    Light.LEFT: Fall(right=0.55, back=0.16),
    Light.RIGHT: Fall(right=-0.55, back=0.16),
    Light.ABOVE: Fall(right=0.0, back=0.12),
}


def shadow(placed: Placed, layout: Layout) -> Pixels:
    """The light that is missing on the scene: uint8 (H, W), 255 for all of it.

    A scene without a horizon has no table: nothing is missing there.
    """
    height, width = placed.alpha_hw.shape
    if layout.horizon is None:
        return np.zeros((height, width), np.uint8)
    reduction = max(1.0, max(width, height) / _WORKED_AT)
    small_wh = round(width / reduction), round(height / reduction)
    alpha = np.asarray(cv2.resize(placed.alpha_hw, small_wh, interpolation=cv2.INTER_AREA), np.uint8)
    left, top, right, bottom = (int(edge / reduction) for edge in placed.box_xyxy)
    box = (left, top, max(right, left + 1), max(bottom, top + 1))
    side = max(small_wh)
    cast = _cast(alpha, box, _FALLS[layout.light or Light.ABOVE], side)
    cast = _ended(cast, layout.horizon, side)
    contact = _contact(alpha, box, side)
    lit = (255 * 100 - round(100 * _CAST) * cast) * (255 * 100 - round(100 * _CONTACT) * contact)
    missing = (255 - lit // (255 * 100 * 100)).astype(np.uint8)
    return np.asarray(cv2.resize(missing, (width, height), interpolation=cv2.INTER_LINEAR_EXACT), np.uint8)


def shaded(scene_hwc: Pixels, missing_hw: Pixels) -> Pixels:
    """The scene with that light taken from it."""
    kept = (255 - missing_hw).astype(np.uint16)[:, :, None]
    return ((scene_hwc * kept + 127) // 255).astype(np.uint8)


def values(layout: Layout) -> dict[str, JsonValue] | None:
    """The numbers of a shadow, for the record."""
    if layout.horizon is None:
        return None
    fall = _FALLS[layout.light or Light.ABOVE]
    return {"contact": _CONTACT, "cast": _CAST, "right": fall.right, "back": fall.back}


def _cast(alpha: Pixels, box: Box, fall: Fall, side: int) -> npt.NDArray[np.int64]:
    """The outline laid on the table, softer the farther from the foot."""
    _, top, _, foot = box
    slant = fall.right / fall.back
    matrix = np.array([[1.0, slant, -slant * foot], [0.0, 1 / fall.back, foot - foot / fall.back]])
    height, width = alpha.shape
    laid = sample(alpha[:, :, None], matrix, (width, height), outside="constant")[:, :, 0]
    near, far = (_soft(laid, max(1.0, share * side)).astype(np.int64) for share in (_NEAR, _FAR))
    reach = max(1, round((foot - top) * fall.back))
    away = np.clip((foot - np.arange(height)) * 256 // reach, 0, 256)[:, None]
    return np.asarray((near * (256 - away) + far * away) // 256)


def _contact(alpha: Pixels, box: Box, side: int) -> npt.NDArray[np.int64]:
    """A dark line under what touches the table."""
    _, top, _, foot = box
    depth = max(1, round(_CONTACT_DEPTH * side))
    first = max(foot - max(1, round(_FOOT * (foot - top))), 0)
    below = np.zeros_like(alpha)
    below[first + depth :] = alpha[first : alpha.shape[0] - depth]
    below[foot + depth :] = 0
    return _soft(below, 0.8 * depth).astype(np.int64)


def _ended(cast: npt.NDArray[np.int64], horizon: float, side: int) -> npt.NDArray[np.int64]:
    """Nothing of it beyond the table's far edge."""
    rows = np.arange(cast.shape[0])
    inside = np.clip((rows - round(horizon * cast.shape[0])) * 256 // max(1, round(_EDGE * side)), 0, 256)
    return np.asarray(cast * inside[:, None] // 256)


def _soft(plane: Pixels, sigma: float) -> Pixels:
    """Blurred; for 8 bits OpenCV does this in fixed point, the same everywhere."""
    return np.asarray(
        cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE, hint=cv2.ALGO_HINT_ACCURATE),
        np.uint8,
    )
