"""The pieces of a mask: dust goes, holes through which no backdrop is seen are filled."""

from typing import Final

import cv2
import numpy as np

from vision.imagery.cutout.backdrop import Mask, Plane, open_to_border

_DUST: Final = 0.01  # of the largest piece's area
_PINHOLE: Final = 0.0005  # of the picture
_SEEN_THROUGH: Final = (
    5.0  # in CIE Lab: a hole's middle colour nearer to the backdrop than that is a view of it
)


def without_dust(mask_hw: Mask) -> tuple[Mask, int]:
    """The mask without pieces below a hundredth of the largest one's area, and how many pieces are left."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask_hw.astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if count == 1:
        return mask_hw, 0
    kept = np.flatnonzero(areas >= _DUST * areas.max()) + 1
    return np.isin(labels, kept), len(kept)


def without_false_holes(mask_hw: Mask, distance_hw: Plane) -> Mask:
    """The mask with those holes filled that are tiny, or in which the picture does not look like the backdrop."""
    holes = ~mask_hw & ~open_to_border(~mask_hw)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(holes.astype(np.uint8), connectivity=4)
    filled = mask_hw.copy()
    for label in range(1, count):
        inside = labels == label
        tiny = stats[label, cv2.CC_STAT_AREA] < _PINHOLE * mask_hw.size
        if tiny or float(np.median(distance_hw[inside])) > _SEEN_THROUGH:
            filled |= inside
    return filled
