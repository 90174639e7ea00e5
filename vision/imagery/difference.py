"""What differs between the placed product and the master, as a picture for whoever reviews it.

Inside the product it has to be black: any pixel there that is not the photo's shines. The soft edge is blue, and around it the scene is
shown dimmed, so that one sees where one is.
"""

from typing import Final

import numpy as np

from vision.image import Pixels
from vision.imagery.compose.place import Placed

_EDGE: Final = (0, 90, 255)
_SHINES: Final = 128  # a change of one level is seen


def difference_map(master_hwc: Pixels, placed: Placed) -> Pixels:
    """uint8 RGB (H, W, 3): black where the product's pixels are the placed ones, else 128 and more."""
    shown = master_hwc // 3
    shown[placed.edge_hw] = _EDGE
    locked = placed.locked_hw
    delta = np.abs(master_hwc[locked].astype(np.int16) - placed.image_hwc[locked].astype(np.int16))
    shown[locked] = np.where(delta > 0, _SHINES + delta // 2, 0).astype(np.uint8)
    return shown
