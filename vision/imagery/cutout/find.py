"""The product in a photo without a mask: where, with which soft edge, by which method, and how far a second method agrees."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from vision.errors import ImageryError
from vision.image import Pixels
from vision.imagery.cutout import edge
from vision.imagery.cutout.backdrop import Backdrop, Mask, grab, learn
from vision.imagery.cutout.pieces import without_dust, without_false_holes
from vision.imagery.cutout.quality import overlap
from vision.imagery.cutout.saliency import Saliency

WORKING_SIDE: Final = 512  # pixels of the longer side, at which product and edge are found
_LEAST: Final = 0.001  # of the photo: less is no product
_SAME: Final = 1.0  # in CIE Lab above the backdrop's noise: nobody can tell it from the backdrop
_HOLE: Final = 0.005  # of the product: a smaller one is a highlight


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A product.

    Attributes:
        alpha_hw: uint8 (H, W), at the photo's size.
        how: the method and what matted its edge, as `u2netp+matting`.
        agreement: intersection over union of two methods.
        warnings: what of it may be background.
    """

    alpha_hw: Pixels
    how: str
    agreement: float
    warnings: tuple[str, ...]


def shrunk(image: Pixels) -> Pixels:
    """A picture or plane whose longer side is at most `WORKING_SIDE`."""
    height, width = image.shape[:2]
    scale = WORKING_SIDE / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def find(
    image_hwc: Pixels,
    saliency: Saliency | None,
    *,
    name: str = "product",
    matting: edge.Matting | None = None,
) -> Found:
    """Tell the product in uint8 RGB (H, W, 3) from its background, by the network where there is one, else by the border's colours.

    Args:
        matting: how its edge is found; as installed by default.

    Raises:
        ImageryError: there is no product to be seen, or nothing else.
    """
    small = shrunk(image_hwc)
    backdrop = learn(small)
    if saliency is None:
        # the second opinion takes shadows for product: where there are few, the two agree
        mask, second = grab(small, backdrop), backdrop.other_hw
    else:
        seen = saliency.of(small)
        mask, second = grab(small, backdrop, seen), seen > 0.5
    mask = _cleaned(mask, backdrop, name)
    matting = matting or edge.installed()
    alpha = edge.soften(small, mask, matting)
    full = edge.levels(alpha) if small is image_hwc else edge.enlarge(image_hwc, small, alpha)
    method = saliency.name if saliency else "grabcut"
    return Found(
        alpha_hw=full,
        how=f"{method}+{matting}",
        agreement=overlap(mask, _filled(second, backdrop)),
        warnings=_seen_through(mask, backdrop),
    )


def _seen_through(mask_hw: Mask, backdrop: Backdrop) -> tuple[str, ...]:
    """A warning where inner parts of the product look exactly like the backdrop: colours cannot tell a handle's hole from a highlight."""
    same = (mask_hw & (backdrop.distance_hw < _SAME)).astype(np.uint8)
    wide = cv2.morphologyEx(same, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    share = float(wide.sum() / mask_hw.sum())
    if share < _HOLE:
        return ()
    return (f"{share:.1%} of the product looks exactly like the backdrop: a highlight, or a hole to cut out",)


def _cleaned(mask_hw: Mask, backdrop: Backdrop, name: str) -> Mask:
    mask, _ = without_dust(mask_hw)
    mask = without_false_holes(mask, backdrop.distance_hw)
    share = float(mask.mean())
    if share < _LEAST:
        raise ImageryError(
            f"{name}: expected a product that stands out from its background, found {share:.2%} of the photo that does; "
            "hand in a mask"
        )
    if share > 1 - _LEAST:
        raise ImageryError(
            f"{name}: expected a product with background around it, found no background; hand in a mask"
        )
    return mask


def _filled(mask_hw: Mask, backdrop: Backdrop) -> Mask:
    return without_false_holes(without_dust(mask_hw)[0], backdrop.distance_hw)
