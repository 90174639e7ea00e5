"""What a ControlNet is shown: the layout, with the product where there is one, as edges, as depth, or as areas.

Takes a layout without gaps, gives pictures; it knows no models.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from vision.image import Pixels
from vision.imagery.brief import Layout, Light
from vision.imagery.diffusion.settings import Control
from vision.imagery.scenes.scene import Kept

_WALL_DEPTH: Final = 40  # of 255; nearer is brighter, as depth models say it
_LIT: Final = {
    Light.LEFT: (255, 0),
    Light.RIGHT: (0, 255),
    Light.ABOVE: (128, 128),
}  # at the left and right border


def control_map(control: Control, layout: Layout, kept: Kept | None, size_wh: tuple[int, int]) -> Pixels:
    """uint8 (H, W, 3).

    canny: white lines on black, the table's far edge and the product's outline. depth: the wall far, the table coming nearer, the product
    as near as the point it stands on. layout: red where the table is, green how much light falls from the sides, blue the product.
    """
    width, height = size_wh
    edge = round((layout.horizon if layout.horizon is not None else 0.6) * height)
    product = _product(kept, size_wh)
    if control is Control.CANNY:
        return _canny(edge, product)
    if control is Control.DEPTH:
        return _depth(edge, product)
    left, right = _LIT[layout.light or Light.ABOVE]
    made = np.zeros((height, width, 3), np.uint8)
    made[edge:, :, 0] = 255
    made[..., 1] = np.rint(np.linspace(left, right, width)).astype(np.uint8)
    made[..., 2] = np.where(product, 255, 0)
    return made


def _product(kept: Kept | None, size_wh: tuple[int, int]) -> npt.NDArray[np.bool_]:
    if kept is None:
        return np.zeros(size_wh[::-1], np.bool_)
    shares = cv2.resize(kept.mask_hw.astype(np.uint8) * 255, size_wh, interpolation=cv2.INTER_AREA)
    return np.asarray(shares > 127)


def _canny(edge: int, product: npt.NDArray[np.bool_]) -> Pixels:
    areas = np.full(product.shape, 90, np.uint8)
    areas[edge:] = 200
    areas[product] = 20
    return np.dstack([cv2.Canny(areas, 50, 100)] * 3)


def _depth(edge: int, product: npt.NDArray[np.bool_]) -> Pixels:
    height = len(product)
    rows = np.full(height, _WALL_DEPTH, np.uint8)
    rows[edge:] = np.rint(np.linspace(_WALL_DEPTH, 255, height - edge)).astype(np.uint8)
    made = np.repeat(rows[:, None], product.shape[1], axis=1)
    if product.any():
        made[product] = rows[int(np.flatnonzero(product.any(1))[-1])]
    return np.dstack([made] * 3)
