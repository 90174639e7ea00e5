"""A cut-out to look at: the product as it is, everything else dimmed and tinted, the edge as a line."""

from typing import Final

import cv2
import numpy as np

from vision.image import Pixels

_TINT: Final = np.array([214, 40, 160], np.float32)  # hardly a backdrop's colour
_TINTED: Final = 0.55


def overlay(image_hwc: Pixels, alpha_hw: Pixels) -> Pixels:
    """uint8 (H, W, 3) RGB of the photo's size."""
    alpha = alpha_hw[:, :, None].astype(np.float32) / 255
    behind = image_hwc * np.float32(1 - _TINTED) + _TINT * np.float32(_TINTED)
    shown = np.rint(image_hwc * alpha + behind * (1 - alpha)).astype(np.uint8)
    outlines, _ = cv2.findContours(
        (alpha_hw >= 128).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
    )
    width = max(1, max(alpha_hw.shape) // 800)
    return np.asarray(cv2.drawContours(shown, outlines, -1, _TINT.tolist(), width), np.uint8)
