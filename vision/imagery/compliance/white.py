"""How white a background is: pure beyond the halo of the product and along the frame, and with what encoding does beside an edge."""

from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from pydantic import JsonValue

from vision.image import Pixels
from vision.imagery.compliance.product import Mask, Product, darkest, distance, rim
from vision.imagery.compliance.rules import White

_BLEED_PX: Final = 3  # over which a product's own colours spread where a JPEG keeps colour at half resolution
NEAR_WHITE: Final = 225  # darker, it is no white that came out badly but something else


@dataclass(frozen=True, slots=True, kw_only=True)
class Whiteness:
    """Pixels that are not as white as they have to be.

    Attributes:
        beyond: not pure white beyond the halo.
        border: not pure white along the frame.
        halo: darker than the halo may be.
        darkest: the darkest channel of any of these; 255 where there are none.
    """

    beyond: int
    border: int
    halo: int
    darkest: int

    def __bool__(self) -> bool:
        """Whether the background is white."""
        return not (self.beyond or self.border or self.halo)

    def value(self) -> dict[str, JsonValue]:
        return asdict(self)


def whiteness(image_hwc: Pixels, product: Product | None, rule: White) -> Whiteness:
    """Measure uint8 RGB (H, W, 3); where the product is not known, along the frame alone."""
    darkest_hw = darkest(image_hwc)
    if product is None:
        stained = rim(darkest_hw, 1) < 255
        worst = int(rim(darkest_hw, 1).min())
        return Whiteness(beyond=0, border=int(stained.sum()), halo=0, darkest=worst)
    beyond, border, halo = faults(darkest_hw, product, rule)
    wrong = darkest_hw[beyond | border | halo]
    return Whiteness(
        beyond=int(beyond.sum()),
        border=int(border.sum()),
        halo=int(halo.sum()),
        darkest=int(wrong.min()) if wrong.size else 255,
    )


def faults(darkest_hw: Pixels, product: Product, rule: White) -> tuple[Mask, Mask, Mask]:
    """Where a background is not white: beyond the halo, along the frame, and too dark within the halo."""
    away = distance(product.mask_hw, in_blocks=True)
    beyond = (away > rule.halo_px) & (darkest_hw < 255)
    border = np.zeros_like(beyond)
    for side in (border[0], border[-1], border[:, 0], border[:, -1]):
        side[:] = True
    border &= ~product.mask_hw & (darkest_hw < 255)
    halo = (away > _BLEED_PX) & (away <= rule.halo_px) & (darkest_hw < rule.halo_level)
    return beyond, border, halo
