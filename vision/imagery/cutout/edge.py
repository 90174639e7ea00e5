"""From a hard mask at a small size to a soft alpha at the photo's own.

The edge is matted at the small size in a band around it: in closed form (Levin, Lischinski and Weiss 2006) by pymatting where that is
installed, else by a guided filter (He, Sun and Tang 2010). The way up follows the photo: the linear relation between colour and alpha
around each pixel is found at the small size and applied to the large one (He and Sun 2015), within the band alone.
"""

import importlib.util
from typing import Final, Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from vision.image import Pixels
from vision.imagery.cutout.backdrop import Mask, Plane

Matting: TypeAlias = Literal["matting", "guided"]
Coefficients: TypeAlias = Plane  # (H, W, 4): alpha = red * [0] + green * [1] + blue * [2] + [3]

_BAND: Final = 0.008  # of the longer side, to either side of the edge
_RADIUS: Final = 3  # pixels of the small size
_EPSILON: Final = 1e-4  # of colours 0 to 1, squared: differences below a hundredth are noise
_OPAQUE: Final = 0.97  # above it a pixel is all product, below 1 - it none
_ROW: Final = 4096  # pixels that OpenCV samples at once


def installed() -> Matting:
    """What mattes edges here."""
    return "matting" if importlib.util.find_spec("pymatting") else "guided"


def soften(image_hwc: Pixels, mask_hw: Mask, matting: Matting) -> Plane:
    """Alpha 0 to 1, float32 (H, W), of a hard mask over uint8 (H, W, 3) of the same size; soft in a band at the edge alone."""
    reach = max(2, round(_BAND * max(mask_hw.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    mask = mask_hw.astype(np.uint8)
    inner, outer = cv2.erode(mask, disc, borderValue=1), cv2.dilate(mask, disc, borderValue=0)
    trimap = np.where(inner == 1, 1.0, np.where(outer == 0, 0.0, 0.5))
    matted = _closed_form(image_hwc, trimap) if matting == "matting" else None
    alpha = guided(image_hwc, mask_hw.astype(np.float32)) if matted is None else matted
    return np.asarray(np.where(trimap == 0.5, np.clip(alpha, 0, 1), trimap), np.float32)


def _closed_form(image_hwc: Pixels, trimap_hw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """Closed-form matting; nothing where the trimap leaves nothing to go by, or the solver does not come to an end."""
    from pymatting import estimate_alpha_cf, jacobi  # noqa: PLC0415  (an extra)

    if len(np.unique(trimap_hw)) < 3:
        return None
    colours = image_hwc.astype(np.float64) / 255
    try:  # the default preconditioner asks for 4 GB and prints to stdout
        solved = estimate_alpha_cf(colours, trimap_hw, preconditioner=jacobi, cg_kwargs={"rtol": 1e-5})
    except ValueError:
        return None
    return np.asarray(solved, np.float64)


def guided(image_hwc: Pixels, plane_hw: Plane) -> Plane:
    """A plane smoothed along the picture's edges."""
    return _apply(image_hwc, _coefficients(image_hwc, plane_hw))


def enlarge(image_hwc: Pixels, small_hwc: Pixels, alpha_hw: Plane) -> Pixels:
    """Alpha at the photo's size, uint8 (H, W), from that at a small one.

    Args:
        image_hwc: uint8 (H, W, 3), the photo.
        small_hwc: uint8 (h, w, 3), the photo at the size of `alpha_hw`, float32 (h, w).
    """
    height, width = image_hwc.shape[:2]
    full = np.asarray(cv2.resize(alpha_hw, (width, height), interpolation=cv2.INTER_LINEAR_EXACT), np.float32)
    rows, columns = np.nonzero((full > 1 - _OPAQUE) & (full < _OPAQUE))
    coefficients = _coefficients(small_hwc, alpha_hw)
    for start in range(0, len(rows), _ROW):
        y, x = rows[start : start + _ROW], columns[start : start + _ROW]
        near = _between(
            coefficients, (x + 0.5) * (alpha_hw.shape[1] / width), (y + 0.5) * (alpha_hw.shape[0] / height)
        )
        full[y, x] = _apply(image_hwc[y, x], near)
    return levels(full)


def levels(alpha_hw: npt.NDArray[np.floating]) -> Pixels:
    """Alpha 0 to 1 as uint8; what is all but opaque becomes so, and what is all but transparent as well."""
    stretched = (np.asarray(alpha_hw, np.float32) - (1 - _OPAQUE)) / (2 * _OPAQUE - 1)
    return np.asarray(np.rint(np.clip(stretched, 0, 1) * 255), np.uint8)


def _between(
    coefficients: Coefficients, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> Coefficients:
    """The coefficients (N, 4) at N points, of which (0, 0) is the left upper corner's outside."""
    at_x, at_y = (np.asarray(one - 0.5, np.float32)[None] for one in (x, y))
    found = cv2.remap(coefficients, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found[0], np.float32)


def _apply(colours: Pixels, coefficients: Coefficients) -> Plane:
    part = (colours.astype(np.float32) / np.float32(255) * coefficients[..., :3]).sum(axis=-1)
    return np.asarray(part + coefficients[..., 3], np.float32)


def _coefficients(image_hwc: Pixels, plane_hw: Plane) -> Coefficients:
    """The guided filter's, averaged over the windows that hold a pixel (He, Sun and Tang 2010, eq. 19 to 21)."""
    colour = np.asarray(image_hwc / np.float32(255), np.float32)
    mean, mean_plane = _mean(colour), _mean(plane_hw)
    pairs = _mean(np.einsum("hwi,hwj->hwij", colour, colour).reshape(*colour.shape[:2], 9))
    spread = pairs.reshape(*colour.shape[:2], 3, 3) - np.einsum("hwi,hwj->hwij", mean, mean)
    together = _mean(colour * plane_hw[..., None]) - mean * mean_plane[..., None]
    slope = np.linalg.solve(spread + _EPSILON * np.eye(3, dtype=np.float32), together[..., None])[..., 0]
    offset = mean_plane - (slope * mean).sum(axis=-1)
    return _mean(np.dstack([slope, offset]).astype(np.float32))


def _mean(planes: Plane) -> Plane:
    return np.asarray(cv2.blur(planes, (2 * _RADIUS + 1, 2 * _RADIUS + 1)), np.float32)
