"""Where the evidence lies: class activation maps as numbers, boxes and pictures.

The evidence map is the difference of two classes' activation maps. Its mean over the map, plus a constant, is the
difference of their logits, so a region's share of the decision is a sum, not an estimate.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from vision.image import Pixels
from vision.preprocess import Prepared

Map = npt.NDArray[np.float32]
REGION_LEVEL: Final = 0.5  # the region is where evidence exceeds this share of its peak


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """The hottest connected region of an evidence map.

    Attributes:
        mask: bool (h, w), at the map's resolution.
        box_xyxy: in prepared pixels, right and bottom exclusive.
        contribution: what the region adds to the difference of logits.
    """

    mask: npt.NDArray[np.bool_]
    box_xyxy: tuple[int, int, int, int]
    contribution: float


def evidence(cam: Map, positive: int, negative: int) -> Map:
    """Evidence (h, w) for class `positive` against `negative`, from a class activation map (C, h, w)."""
    return np.asarray(cam[positive] - cam[negative], np.float32)


def hottest_region(evidence_hw: Map, size_wh: tuple[int, int]) -> Region | None:
    """The connected region around the strongest evidence; nothing where no evidence is positive."""
    peak = float(evidence_hw.max())
    if not peak > 0:
        return None
    above = (evidence_hw >= REGION_LEVEL * peak).astype(np.uint8)
    _, labelled = cv2.connectedComponents(above, connectivity=8)
    y, x = np.unravel_index(int(evidence_hw.argmax()), evidence_hw.shape)
    mask = np.asarray(labelled == labelled[y, x])
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    step_x, step_y = size_wh[0] / evidence_hw.shape[1], size_wh[1] / evidence_hw.shape[0]
    box = (
        round(columns[0] * step_x),
        round(rows[0] * step_y),
        round((columns[-1] + 1) * step_x),
        round((rows[-1] + 1) * step_y),
    )
    return Region(mask=mask, box_xyxy=box, contribution=float(evidence_hw[mask].sum() / evidence_hw.size))


def overlay(
    prepared: Prepared, evidence_hw: Map, *, region: Region | None = None, opacity: float = 0.55
) -> Pixels:
    """The prepared picture under its evidence: uint8 RGB (H, W, 3), the hottest region framed.

    Only positive evidence is coloured, and a map without any leaves the picture as it is.
    """
    height, width = prepared.image_hwc.shape[:2]
    positive = np.maximum(evidence_hw, 0)
    peak = float(positive.max())
    strength = np.zeros((height, width), np.float32)
    if peak > 0:
        strength = np.clip(cv2.resize(positive / peak, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)
    coloured = cv2.cvtColor(
        cv2.applyColorMap((255 * strength).astype(np.uint8), cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB
    )
    weight = (opacity * strength)[:, :, None]
    mixed = prepared.image_hwc * (1 - weight) + coloured * weight
    painted = np.ascontiguousarray(mixed.round().astype(np.uint8))
    if region is not None:
        left, top, right, bottom = region.box_xyxy
        cv2.rectangle(painted, (left, top), (right - 1, bottom - 1), (255, 255, 255), 1)
    return painted
