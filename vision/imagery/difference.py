"""What differs between the placed product and the master, as a picture for whoever reviews it.

Inside the product it has to be black: any pixel there that is not the photo's shines. The soft edge is blue, and around it the scene is
shown dimmed, so that one sees where one is.
"""

from typing import Final

import numpy as np

from vision.image import Pixels, encode_png
from vision.imagery.compose.place import Placed
from vision.imagery.kept import decode_master

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


def smaller(difference_png: bytes, most_px: int) -> bytes:
    """A difference map of at most `most_px` a side, in which what shone still shines: of each block of pixels the brightest value.

    Raises:
        ImageError: it is no picture.
    """
    shown = decode_master(difference_png, name="difference")
    block = -(-max(shown.shape[:2]) // most_px)
    height, width = (-(-side // block) for side in shown.shape[:2])
    padding = [(0, height * block - shown.shape[0]), (0, width * block - shown.shape[1]), (0, 0)]
    blocks = np.pad(shown, padding).reshape(height, block, width, block, 3)
    return encode_png(np.ascontiguousarray(blocks.max(axis=(1, 3))))
