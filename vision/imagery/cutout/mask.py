"""A mask that a designer drew or corrected: bytes to an alpha plane, or an error that says what is wrong with it.

What it says is final: it is neither smoothed nor moved to edges that are seen in the photo.
"""

from typing import Final

import numpy as np

from vision.errors import ImageryError
from vision.image import Pixels, decode_layers, read_header
from vision.imagery.cutout.photo import PHOTO_LIMITS

NOTHING: Final = 0.0005  # of the photo: a product on fewer pixels cannot be shown
EVERYTHING: Final = 0.995
_MOST_BORDER: Final = 0.5  # of the outermost pixels


def read_mask(data: bytes, size_wh: tuple[int, int], *, name: str = "mask") -> Pixels:
    """A mask's alpha plane, uint8 (H, W), 255 product: its own alpha where it has one, else its grey.

    Args:
        size_wh: of the upright photo, which the mask must have as well.

    Raises:
        ImageError: not a picture that can be decoded.
        ImageryError: not a PNG, coloured, of another size, empty, everything, or inverted.
    """
    check_mask(data, size_wh, name=name)
    layers = decode_layers(data, name=name, limits=PHOTO_LIMITS)
    if layers.alpha_hw is not None and layers.alpha_hw.min() < 255:
        alpha = layers.alpha_hw
    else:
        grey = layers.image_hwc[:, :, :1]
        if (layers.image_hwc != grey).any():
            raise ImageryError(f"{name}: expected grey or transparency, found colours and no transparency")
        alpha = np.ascontiguousarray(grey[:, :, 0])
    _check(alpha, name)
    return alpha


def check_mask(data: bytes, size_wh: tuple[int, int], *, name: str = "mask") -> None:
    """See by its header alone that a file may be a mask of a photo of this size, upright.

    Raises:
        ImageError: no picture, or outside `PHOTO_LIMITS`.
        ImageryError: not a PNG, or of another size.
    """
    header = read_header(data, name=name, limits=PHOTO_LIMITS)
    if header.format != "PNG":  # what loses anything blurs the edge
        raise ImageryError(f"{name}: expected a PNG, found {header.format}")
    if header.size_wh != size_wh:
        raise ImageryError(
            f"{name}: expected {size_wh[0]}x{size_wh[1]} px, the size of the upright photo, "
            f"found {header.size_wh[0]}x{header.size_wh[1]}"
        )


def _check(alpha_hw: Pixels, name: str) -> None:
    share = float((alpha_hw >= 128).mean())
    if share < NOTHING:
        raise ImageryError(f"{name}: expected the product in white, found {share:.2%} white: it is empty")
    if share > EVERYTHING:
        raise ImageryError(
            f"{name}: expected the background in black, found {share:.2%} white: it is everything"
        )
    border = border_share(alpha_hw)
    if border > _MOST_BORDER:
        raise ImageryError(
            f"{name}: expected the product in white on black, found {border:.0%} of the border white: it looks inverted"
        )


def border_share(alpha_hw: Pixels) -> float:
    """How much of the picture's outermost pixels is product, 0 to 1."""
    rim = np.concatenate([alpha_hw[0], alpha_hw[-1], alpha_hw[1:-1, 0], alpha_hw[1:-1, -1]])
    return float((rim >= 128).mean())
