"""A picture's signature: 32 bytes that survive being encoded, resized or brightened anew.

The signs of the lowest 16 x 16 coefficients of the picture's cosine transform against their median, the constant one left out (the
perceptual hash of Zauner 2010, Implementation and Benchmarking of Perceptual Image Hash Functions, with more bits). It does not survive
cropping, frames or mirroring.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from vision.image import Pixels

Signatures = npt.NDArray[np.uint8]

BYTES: Final = 32
COPY_BITS: Final = 15
"""Pictures that differ in at most so many of 255 bits are copies of one (docs/decisions/0020)."""
_GREY_PX: Final = 64
_KEPT: Final = 16


def signature(image_hwc: Pixels) -> Signatures:
    """uint8 (32,), from uint8 (H, W, 3) RGB or (H, W) grey pixels."""
    grey = image_hwc if image_hwc.ndim == 2 else cv2.cvtColor(image_hwc, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_GREY_PX, _GREY_PX), interpolation=cv2.INTER_AREA)
    low = np.asarray(cv2.dct(small.astype(np.float32)))[:_KEPT, :_KEPT].ravel()[1:]
    return np.packbits(low > np.median(low))


def unknown(count: int) -> Signatures:
    """uint8 (count, 32): what stands for signatures that nobody took; never another's copy."""
    return np.zeros((count, BYTES), np.uint8)


def known(one: Signatures) -> bool:
    return bool(one.any())  # half of a picture's bits are set


def differing_bits(one: Signatures, other: Signatures) -> int:
    """0 to 255."""
    return int(np.bitwise_count(one ^ other).sum())
