"""What a plain backdrop looks like, learned from the photo's border, and the product as what does not look like it.

Most product photos stand on one colour that grows lighter or darker across the picture: in CIE Lab a surface of second degree, fitted to the
border's pixels by least absolute differences, so that a product that touches the border does not bend it. Where the picture differs from
it there is product, or its shadow: what keeps the backdrop's hue and is merely darker is for GrabCut (Rother, Kolmogorov and Blake 2004)
to decide, which draws the edge.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from vision.image import Pixels

Plane: TypeAlias = npt.NDArray[np.float32]
Mask: TypeAlias = npt.NDArray[np.bool_]

_RIM: Final = 0.03  # of the shorter side: the border that is looked at
_ROUNDS: Final = 12  # of fitting, each trusting less what the one before fitted badly
_NEAR: Final = 2.5  # in CIE Lab: below that nobody sees a difference
_FAR: Final = 7.0  # from here on anybody does
_DEEP: Final = 28.0  # of lightness: no soft shadow is darker than the backdrop by more
_ITERATIONS: Final = 4
_RNG_SEED: Final = 1  # GrabCut's clusters begin at random


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdrop:
    """How unlike the backdrop each pixel is.

    Attributes:
        distance_hw: float32 (H, W), in CIE Lab, above the border's own noise.
        shadow_hw: bool (H, W), where it may be a shadow: the backdrop's hue, somewhat darker.
        noise: deviation of the border's pixels from the fitted surface, in CIE Lab.
    """

    distance_hw: Plane
    shadow_hw: Mask
    noise: float

    @property
    def other_hw(self) -> Mask:
        """Where anybody sees a difference, be it a shadow's."""
        return self.distance_hw > _FAR


def lab(image_hwc: Pixels) -> Plane:
    """uint8 RGB to CIE Lab, float32 (H, W, 3), lightness 0 to 100."""
    scaled = image_hwc.astype(np.float32) / np.float32(255)
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2Lab), np.float32)


def learn(image_hwc: Pixels) -> Backdrop:
    """Fit the backdrop to the border of uint8 (H, W, 3)."""
    height, width = image_hwc.shape[:2]
    colours = lab(image_hwc)
    rim = max(2, round(_RIM * min(height, width)))
    at_rim = np.ones((height, width), bool)
    at_rim[rim:-rim, rim:-rim] = False
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    given, wanted = terms[at_rim], colours[at_rim]
    off, surface = np.ones(len(given), np.float32), np.zeros((6, 3), np.float32)
    for _ in range(_ROUNDS):
        weight = 1 / np.sqrt(np.maximum(off, _NEAR))[:, None]
        surface = np.linalg.lstsq(given * weight, wanted * weight, rcond=None)[0]
        off = np.linalg.norm(wanted - given @ surface, axis=1)
    noise = float(np.median(off))
    difference = colours - terms @ surface
    quiet = 2 * noise
    hue = np.linalg.norm(difference[:, :, 1:], axis=2) - quiet
    darker = -difference[:, :, 0]
    return Backdrop(
        distance_hw=np.maximum(np.linalg.norm(difference, axis=2) - quiet, 0).astype(np.float32),
        shadow_hw=(hue < _NEAR) & (darker > 0) & (darker < _DEEP),
        noise=noise,
    )


def grab(image_hwc: Pixels, backdrop: Backdrop, saliency_hw: Plane | None = None) -> Mask:
    """The product by GrabCut, seeded by the backdrop, and by a saliency 0 to 1 where there is one.

    The same picture gives the same mask: OpenCV's random numbers are seeded.
    """
    seeds = _seeds(backdrop) if saliency_hw is None else _seeds_of(saliency_hw, backdrop)
    product = np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if not product.any() or product.all():
        return product
    cv2.setRNGSeed(_RNG_SEED)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(image_hwc, seeds, (0, 0, 1, 1), *models, _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _seeds(backdrop: Backdrop) -> Pixels:
    seeds = np.full(backdrop.distance_hw.shape, cv2.GC_PR_BGD, np.uint8)
    seeds[backdrop.other_hw & ~backdrop.shadow_hw] = cv2.GC_PR_FGD
    seeds[open_to_border(backdrop.distance_hw < _NEAR)] = cv2.GC_BGD
    return seeds


def _seeds_of(saliency_hw: Plane, backdrop: Backdrop) -> Pixels:
    seeds = np.full(saliency_hw.shape, cv2.GC_PR_BGD, np.uint8)
    seeds[saliency_hw > 0.5] = cv2.GC_PR_FGD
    seeds[saliency_hw > 0.95] = cv2.GC_FGD
    seeds[(saliency_hw < 0.5) & open_to_border(backdrop.distance_hw < _NEAR)] = cv2.GC_BGD
    seeds[saliency_hw < 0.02] = cv2.GC_BGD
    return seeds


def open_to_border(mask_hw: Mask) -> Mask:
    """Those parts of a mask that reach the picture's border."""
    _, labels = cv2.connectedComponents(mask_hw.astype(np.uint8), connectivity=4)
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    reaching = np.setdiff1d(np.unique(rim), [0])
    return np.isin(labels, reaching)
