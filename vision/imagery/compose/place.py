"""A cut-out to its place in the frame: the only thing that is ever done to a product's pixels.

Takes a photo with its alpha and a placement, gives both at the frame's size. It knows neither scene nor rules. Enlarging and reducing
are OpenCV's two methods that give the same pixels on every processor; turning is done in whole numbers. At scale 1 and 0 degrees the
placed pixels are the photo's own.
"""

import math
from dataclasses import dataclass
from typing import Final, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from vision.errors import ImageryError
from vision.image import Pixels
from vision.imagery.compose.sampling import Matrix, sample
from vision.imagery.placement import Placement

GREY: Final = 128  # where nothing was placed
OPAQUE: Final = 255
_VISIBLE: Final = 128  # alpha from which a pixel counts for the product's box

Box = tuple[int, int, int, int]


class Product(Protocol):
    """A photo and where in it the product is: a `Cutout`, or what is kept of one."""

    @property
    def image_hwc(self) -> Pixels:
        """uint8 (H, W, 3) sRGB."""
        ...

    @property
    def alpha_hw(self) -> Pixels:
        """uint8 (H, W)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A product in its frame.

    Attributes:
        image_hwc: uint8 (H, W, 3) sRGB; grey where there is no product.
        alpha_hw: uint8 (H, W); 255 is locked, what lies between 0 and 255 is the soft edge.
    """

    image_hwc: Pixels
    alpha_hw: Pixels

    @property
    def locked_hw(self) -> npt.NDArray[np.bool_]:
        """Where the master's pixels have to be the product's, bit for bit."""
        return np.asarray(self.alpha_hw == OPAQUE)

    @property
    def edge_hw(self) -> npt.NDArray[np.bool_]:
        """Where product and scene are mixed."""
        return np.asarray((self.alpha_hw > 0) & (self.alpha_hw < OPAQUE))

    @property
    def box_xyxy(self) -> Box:
        """Of the product as `product_box` tells it."""
        return product_box(self.alpha_hw)


def product_box(alpha_hw: Pixels) -> Box:
    """The box of all pixels that are at least half opaque; right and bottom exclusive.

    Raises:
        ImageryError: there is none.
    """
    box = box_of(alpha_hw >= _VISIBLE)
    if box is None:
        raise ImageryError("product: expected pixels that are at least half opaque, found none")
    return box


def box_of(mask_hw: npt.NDArray[np.bool_]) -> Box | None:
    """The smallest box around what is true; right and bottom exclusive."""
    rows, columns = np.flatnonzero(mask_hw.any(axis=1)), np.flatnonzero(mask_hw.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def place(product: Product, placement: Placement) -> Placed:
    """Scale a product, turn it about its box's middle, and move that to the placement's centre.

    Without turning it comes to lie on whole pixels; what falls outside of the frame is cut off.

    Raises:
        ImageryError: no pixel of it is opaque in the frame.
    """
    visible = product_box(product.alpha_hw)
    whole = box_of(product.alpha_hw > 0) or visible
    scaled, factor_xy = _scaled(product, whole, placement.scale)
    middle_xy = (
        ((visible[0] + visible[2]) / 2 - whole[0]) * factor_xy[0],
        ((visible[1] + visible[3]) / 2 - whole[1]) * factor_xy[1],
    )
    if placement.degrees == 0.0:
        placed = _moved(scaled, middle_xy, placement)
    else:
        placed = _turned(scaled, middle_xy, placement)
    if not placed.locked_hw.any():
        raise ImageryError(
            f"product: expected opaque pixels in the frame of {placement.frame_wh[0]}x{placement.frame_wh[1]}, found none"
        )
    return placed


def _scaled(product: Product, box: Box, scale: float) -> tuple[Placed, tuple[float, float]]:
    """The part of the photo in `box`, scaled to whole pixels, and by how much exactly across and down."""
    left, top, right, bottom = box
    image, alpha = product.image_hwc[top:bottom, left:right], product.alpha_hw[top:bottom, left:right]
    width, height = right - left, bottom - top
    size_wh = max(1, _rounded(width * scale)), max(1, _rounded(height * scale))
    if size_wh != (width, height):
        how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR_EXACT
        image = np.asarray(cv2.resize(image, size_wh, interpolation=how), np.uint8)
        alpha = np.asarray(cv2.resize(alpha, size_wh, interpolation=how), np.uint8)
    return Placed(image_hwc=image, alpha_hw=alpha), (size_wh[0] / width, size_wh[1] / height)


def _rounded(value: float) -> int:
    return math.floor(value + 0.5)


def _moved(scaled: Placed, middle_xy: tuple[float, float], placement: Placement) -> Placed:
    height, width = scaled.alpha_hw.shape
    left, top = (
        _rounded(centre - middle) for centre, middle in zip(placement.centre_xy, middle_xy, strict=True)
    )
    return _in_frame(scaled, (left, top, left + width, top + height), placement.frame_wh)


def _turned(scaled: Placed, middle_xy: tuple[float, float], placement: Placement) -> Placed:
    height, width = scaled.alpha_hw.shape
    angle = math.radians(placement.degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    (middle_x, middle_y), (centre_x, centre_y) = middle_xy, placement.centre_xy
    corners = [(x - middle_x, y - middle_y) for x in (0, width) for y in (0, height)]
    across = [centre_x + cosine * x - sine * y for x, y in corners]
    down = [centre_y + sine * x + cosine * y for x, y in corners]
    left, top = math.floor(min(across)) - 1, math.floor(min(down)) - 1
    right, bottom = math.ceil(max(across)) + 1, math.ceil(max(down)) + 1
    x, y = left + 0.5 - centre_x, top + 0.5 - centre_y  # the first pixel's middle, seen from the centre
    matrix: Matrix = np.array(
        [
            [cosine, sine, cosine * x + sine * y + middle_x - 0.5],
            [-sine, cosine, -sine * x + cosine * y + middle_y - 0.5],
        ]
    )
    size_wh = right - left, bottom - top
    image = sample(scaled.image_hwc, matrix, size_wh, outside="edge")
    alpha = sample(scaled.alpha_hw[:, :, None], matrix, size_wh, outside="constant")[:, :, 0]
    return _in_frame(Placed(image_hwc=image, alpha_hw=alpha), (left, top, right, bottom), placement.frame_wh)


def _in_frame(part: Placed, box: Box, frame_wh: tuple[int, int]) -> Placed:
    """A part of the frame in the whole of it, which is grey and clear around."""
    width, height = frame_wh
    left, top, right, bottom = box
    image = np.full((height, width, 3), GREY, np.uint8)
    alpha = np.zeros((height, width), np.uint8)
    there = np.s_[max(top, 0) : max(min(bottom, height), 0), max(left, 0) : max(min(right, width), 0)]
    alpha_there = alpha[there]
    if alpha_there.size:
        rows, columns = alpha_there.shape
        first_row, first_column = max(-top, 0), max(-left, 0)
        here = np.s_[first_row : first_row + rows, first_column : first_column + columns]
        alpha_there[:] = part.alpha_hw[here]
        np.copyto(image[there], part.image_hwc[here], where=(alpha_there > 0)[:, :, None])
    return Placed(image_hwc=image, alpha_hw=alpha)
