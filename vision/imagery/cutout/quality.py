"""How far a cut-out can be relied upon, 0 to 1, and what a designer should look at.

Four shares are multiplied, so that one bad one is enough:

    contrast    how much of the outline separates colours that anybody tells apart: the mean of min(1, difference / 10 in CIE Lab)
                between product and background within 5 x 5 pixels around each pixel of the edge
    agreement   intersection over union of two methods that found the product on their own; 1 for a mask that was handed in
    framing     1 less twice the share of the photo's border that is product: a cut-off product cannot be completed
    size        the product's share of the photo, a fiftieth or more counting 1
"""

from dataclasses import asdict, dataclass
from typing import Final

import cv2
import numpy as np

from vision.image import Pixels
from vision.imagery.cutout.backdrop import Mask, Plane, lab
from vision.imagery.cutout.mask import border_share
from vision.imagery.cutout.pieces import without_dust

LOW: Final = 0.75  # below it a designer is told to look
_TOLD_APART: Final = 10.0  # in CIE Lab
_FULL_SIZE: Final = 0.02
_TOUCHING: Final = 0.002  # of the border: less is a hair or noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The four shares, each 0 to 1."""

    contrast: float
    agreement: float
    framing: float
    size: float

    @property
    def score(self) -> float:
        return self.contrast * self.agreement * self.framing * self.size


def judge(alpha_hw: Pixels, *, contrast: float, agreement: float) -> Quality:
    """Judge an alpha plane, uint8 (h, w), at a small size."""
    return Quality(
        contrast=contrast,
        agreement=agreement,
        framing=max(0.0, 1 - 2 * border_share(alpha_hw)),
        size=min(1.0, float((alpha_hw >= 128).mean()) / _FULL_SIZE),
    )


def overlap(one: Mask, other: Mask) -> float:
    """Intersection over union; 1 where both are empty."""
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else 1.0


def contrast(small_hwc: Pixels, alpha_hw: Pixels) -> float:
    """How much of the outline separates colours that anybody tells apart, 0 to 1."""
    inside = (alpha_hw >= 128).astype(np.float32)
    edge = cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    if not edge.any():
        return 0.0
    colours = lab(small_hwc)
    difference = _mean_where(colours, inside) - _mean_where(colours, 1 - inside)
    apart = np.linalg.norm(difference[edge], axis=1)
    return float(np.minimum(1, apart / _TOLD_APART).mean())


def _mean_where(colours: Plane, weight: Plane) -> Plane:
    total = cv2.boxFilter(colours * weight[..., None], -1, (5, 5), normalize=False)
    count = cv2.boxFilter(weight, -1, (5, 5), normalize=False)[..., None]
    return np.asarray(total / np.maximum(count, 1), np.float32)


def warnings(quality: Quality, alpha_hw: Pixels) -> tuple[str, ...]:
    """What a designer should know before relying on the cut-out."""
    said = []
    border, pieces = border_share(alpha_hw), without_dust(alpha_hw >= 128)[1]
    if border > _TOUCHING:
        said.append(f"the product touches the photo's border ({border:.1%} of it): it may be cut off")
    if pieces > 1:
        said.append(f"the product is in {pieces} separate pieces")
    if quality.score < LOW:
        shares = asdict(quality)
        worst = min(shares, key=lambda share: float(shares[share]))
        said.append(
            f"low quality ({quality.score:.2f}, least in {worst}): look at the mask and hand in a corrected one"
        )
    return tuple(said)
