"""The scene's exposure brought towards the product's. The product is only looked at.

A backdrop that is dimmer than the brightest parts of the photo makes a product look pasted in. Which colour the photo's light had
cannot be told from a product whose colour nobody knows, so colours are left alone.
"""

import math
from typing import Final

import cv2
import numpy as np

from vision.image import Pixels
from vision.imagery.compose.place import Placed

_BRIGHT: Final = 95.0  # the percentile that stands for what is lit fully
_SHARE: Final = 0.5  # of the way to the product's
_LEAST_EXPONENT: Final = 0.75  # of the curve, so that a scene stays the scene that was asked for
_SEEN: Final = 512  # px of the longest side that levels are measured at


def exposure(scene_hwc: Pixels, placed: Placed) -> float:
    """The exponent of the curve `255 * (level / 255) ** exponent` for the scene: 1 leaves it, less brightens it.

    Black and white stay what they are; a scene is never darkened, as a dark product says nothing of the light.
    """
    step = max(1, max(placed.alpha_hw.shape) // _SEEN)
    locked = placed.locked_hw[::step, ::step]
    if not locked.any():
        return 1.0
    product = _bright(placed.image_hwc[::step, ::step][locked])
    scene = _bright(scene_hwc[::step, ::step][~locked]) if not locked.all() else product
    if not 1.0 < scene < product:
        return 1.0
    wanted = scene + _SHARE * (min(product, 254.0) - scene)
    exponent = math.log(wanted / 255) / math.log(scene / 255)
    return round(min(max(exponent, _LEAST_EXPONENT), 1.0), 4)


def exposed(scene_hwc: Pixels, exponent: float) -> Pixels:
    """The scene through the curve."""
    if exponent == 1.0:
        return scene_hwc
    levels = 255 * (np.arange(256) / 255) ** exponent
    return np.asarray(cv2.LUT(scene_hwc, np.floor(levels + 0.5).astype(np.uint8)), np.uint8)


def _bright(pixels: Pixels) -> float:
    """The luma that only few pixels exceed (ITU-R BT.601), of uint8 (N, 3)."""
    luma = pixels.astype(np.int64) @ np.array([299, 587, 114])
    return float(np.percentile(luma, _BRIGHT)) / 1000
