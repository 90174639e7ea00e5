"""Where the product is in a picture: known from its opacity, else told from a plain background.

Takes pixels, gives a mask and a box, or says in words why there is none. A scene is not plain: what stands in one cannot be told
here from what belongs to it. Several products are taken for one, and so is what leans on them.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from vision.image import Pixels

Mask: TypeAlias = npt.NDArray[np.bool_]

_Number = TypeVar("_Number", bound=np.number[Any])

_PLAIN: Final = 12  # levels from the median colour within which the frame's rim counts as one colour
_PLAIN_SHARE: Final = 0.6  # of the rim that has to be; the rest may be a product that reaches the border
_STRONG: Final = 32  # levels from the background that only the product has: JPEG's rings stay below
_WEAK: Final = 10  # levels that belong to it where they are next to something strong
_NEAR: Final = 0.01  # of the longest side
_PART: Final = 0.1  # of the largest part's area, from which on another part counts as product too
_SMALLEST: Final = 5e-4  # of the frame's area


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """The product in a picture.

    Attributes:
        mask_hw: bool (H, W), every pixel that may show the product, its soft edge and what it encloses included.
        box_xyxy: of what is more than half opaque, in pixels; the right and lower side are the first outside.
        known: whether that was handed in and not estimated.
    """

    mask_hw: Mask
    box_xyxy: tuple[int, int, int, int]
    known: bool

    @property
    def longest_px(self) -> int:
        left, top, right, bottom = self.box_xyxy
        return max(right - left, bottom - top)

    @property
    def centre_xy(self) -> tuple[float, float]:
        left, top, right, bottom = self.box_xyxy
        return (left + right) / 2, (top + bottom) / 2

    def touches(self, frame_wh: tuple[int, int]) -> tuple[str, ...]:
        """The sides of the frame that it reaches."""
        left, top, right, bottom = self.box_xyxy
        reached = {
            "left": left <= 0,
            "top": top <= 0,
            "right": right >= frame_wh[0],
            "bottom": bottom >= frame_wh[1],
        }
        return tuple(side for side, touched in reached.items() if touched)


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What surrounds everything.

    Attributes:
        colour: median of the rim, RGB, 0..255.
        plain: whether most of the rim is of that colour.
    """

    colour: tuple[int, int, int]
    plain: bool


def rim(image_hwc: npt.NDArray[_Number], width_px: int) -> npt.NDArray[_Number]:
    """The outermost pixels (N, C), or (N,) of a plane."""
    sides = (
        image_hwc[:width_px],
        image_hwc[-width_px:],
        image_hwc[width_px:-width_px, :width_px],
        image_hwc[width_px:-width_px, -width_px:],
    )
    return np.concatenate([side.reshape(-1, *image_hwc.shape[2:]) for side in sides])


def deviation(image_hwc: Pixels, colour: tuple[int, int, int]) -> Pixels:
    """Levels (H, W) by which the channel that differs most is off a colour."""
    red, green, blue = cv2.split(cv2.absdiff(image_hwc, np.full_like(image_hwc, colour)))
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)


def darkest(image_hwc: Pixels) -> Pixels:
    """The darkest channel (H, W) of every pixel."""
    red, green, blue = cv2.split(image_hwc)
    return np.asarray(cv2.min(cv2.min(red, green), blue), np.uint8)


def background(image_hwc: Pixels) -> Background:
    """The colour around everything, from the outermost hundredth of the picture."""
    pixels = rim(image_hwc, max(1, min(image_hwc.shape[:2]) // 100)).astype(np.int16)
    colour = np.median(pixels, axis=0).astype(np.int16)
    near = np.abs(pixels - colour).max(axis=1) <= _PLAIN
    red, green, blue = (int(value) for value in colour)
    return Background(colour=(red, green, blue), plain=float(near.mean()) >= _PLAIN_SHARE)


def from_alpha(alpha_hw: Pixels) -> Product | str:
    """The product where its opacity is known, uint8 (H, W)."""
    box = _box(alpha_hw >= 128)
    if box is None:
        return "the mask handed in shows no product"
    return Product(mask_hw=alpha_hw > 0, box_xyxy=box, known=True)


def estimate(image_hwc: Pixels, around: Background) -> Product | str:
    """The product before a plain background, uint8 RGB (H, W, 3): what differs strongly from it, and the weaker next to that."""
    if not around.plain:
        return "the background is not plain, so the product cannot be told from it; hand in its mask"
    away = deviation(image_hwc, around.colour)
    strong = away > _STRONG
    if np.count_nonzero(strong) < _SMALLEST * strong.size:
        return "nothing stands out from the background"
    near_px = max(4, round(_NEAR * max(strong.shape)))
    seen = strong | ((away > _WEAK) & (distance(strong) <= near_px))
    solid = _filled(_closed(seen, near_px))
    kept = _large(solid)
    opened = cv2.morphologyEx((seen & kept).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    box = _box(opened > 0)
    if box is None:
        return "nothing larger than specks stands out from the background"
    return Product(mask_hw=kept, box_xyxy=box, known=False)


def within(product: Product, frame_wh: tuple[int, int], *, left: int, top: int) -> Product:
    """The product of a part of a picture, in the whole one, where the part begins at `left` and `top`."""
    height, width = product.mask_hw.shape
    mask_hw = np.zeros(frame_wh[::-1], bool)
    mask_hw[top : top + height, left : left + width] = product.mask_hw
    x0, y0, x1, y1 = product.box_xyxy
    return replace(product, mask_hw=mask_hw, box_xyxy=(x0 + left, y0 + top, x1 + left, y1 + top))


def distance(mask_hw: Mask, *, in_blocks: bool = False) -> npt.NDArray[np.float32]:
    """Pixels from the nearest one in the mask; 0 within it.

    Args:
        in_blocks: along rows or columns, whichever is more, as an encoder's square blocks reach; else as the crow flies.
    """
    outside = (~mask_hw).astype(np.uint8)
    if not mask_hw.any():
        return np.full(mask_hw.shape, np.inf, np.float32)
    kind, size = (cv2.DIST_C, 3) if in_blocks else (cv2.DIST_L2, 5)
    return np.asarray(cv2.distanceTransform(outside, kind, size), np.float32)


def _closed(mask_hw: Mask, radius_px: int) -> Mask:
    """Gaps up to twice the radius bridged, by distances rather than by large kernels, which are slow."""
    grown = distance(mask_hw) <= radius_px
    rimmed = np.pad(~grown, radius_px + 1, constant_values=True)  # so that nothing grows towards the border
    shrunk = distance(rimmed)[radius_px + 1 : -radius_px - 1, radius_px + 1 : -radius_px - 1] > radius_px
    return shrunk | mask_hw


def _filled(mask_hw: Mask) -> Mask:
    """With everything that cannot be reached from the border."""
    _, labels = cv2.connectedComponents((~mask_hw).astype(np.uint8), connectivity=4)
    reached = np.zeros(int(labels.max()) + 1, bool)
    reached[rim(labels, 1)] = True
    reached[0] = False  # the mask itself
    return np.asarray(~reached[labels], bool)


def _large(mask_hw: Mask) -> Mask:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask_hw.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return np.asarray((areas >= _PART * areas.max())[labels] & mask_hw, bool)


def _box(mask_hw: Mask) -> tuple[int, int, int, int] | None:
    rows, columns = np.flatnonzero(mask_hw.any(axis=1)), np.flatnonzero(mask_hw.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
