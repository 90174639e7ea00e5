"""A scene from a model's own size to the size asked for, calmed before where the model is small.

By elementwise sums of four rows and four columns, so that the same processor gives the same pixels whatever the number of threads, and in floating
point up to the last step, so that slow ramps show no bands.
"""

from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from vision.image import Pixels

_Levels: TypeAlias = npt.NDArray[np.float32]

# (B, C) of D. Mitchell & A. Netravali 1988: the B-spline, which blurs what a small model leaves of its grid, and their own choice.
SMOOTH: Final = (1.0, 0.0)
CRISP: Final = (1 / 3, 1 / 3)


def calmed(image_hwc: _Levels, levels: float) -> _Levels:
    """Neighbours that differ by less than `levels`, of 1, grow alike; edges stay (C. Tomasi & R. Manduchi 1998, bilateral filters).

    Colour is calmed more broadly than lightness: a small model's noise is the uglier there, and eyes do not miss the detail.
    """
    if levels == 0.0:
        return image_hwc
    lightness = _bilateral(image_hwc, levels, 1.3)[..., :1]
    colour = _bilateral(image_hwc, 2.4 * levels, 3.0)[..., 1:]
    joined = np.concatenate([lightness, colour], axis=2)
    return np.asarray(cv2.cvtColor(joined, cv2.COLOR_YCrCb2RGB), np.float32)


def _bilateral(image_hwc: _Levels, levels: float, reach_px: float) -> _Levels:
    """Filtered, as Y, Cr, Cb."""
    image = np.ascontiguousarray(image_hwc)
    filtered = cv2.bilateralFilter(image, -1, levels, reach_px, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.cvtColor(filtered, cv2.COLOR_RGB2YCrCb), np.float32)


def enlarged(
    image_hwc: _Levels, size_wh: tuple[int, int], *, seed: int, kernel: tuple[float, float]
) -> Pixels:
    """float32 (h, w, 3), 0 to 1, to uint8 (H, W, 3) of `size_wh`; with a half level of noise by the seed. Smaller sizes are averaged."""
    width, height = size_wh
    if height < image_hwc.shape[0] or width < image_hwc.shape[1]:
        sized = np.asarray(cv2.resize(image_hwc, size_wh, interpolation=cv2.INTER_AREA), np.float32)
    else:
        sized = _along(_along(image_hwc, height, kernel).swapaxes(0, 1), width, kernel).swapaxes(0, 1)
    grain = np.random.default_rng([seed, 0x6A]).random((height, width, 1), np.float32)
    levels: Pixels = np.clip(np.floor(sized * 255 + grain), 0, 255).astype(np.uint8)
    return levels


def _along(image: _Levels, length: int, kernel: tuple[float, float]) -> _Levels:
    """Resample the first axis."""
    here = (np.arange(length) + 0.5) * (len(image) / length) - 0.5
    first = np.floor(here).astype(np.int64) - 1
    made = np.zeros((length, *image.shape[1:]), np.float32)
    for tap in range(4):
        rows = first + tap
        weight = _weight(np.abs(here - rows), *kernel).astype(np.float32)
        made += weight[:, None, None] * image[np.clip(rows, 0, len(image) - 1)]
    return made


def _weight(x: npt.NDArray[np.float64], b: float, c: float) -> npt.NDArray[np.float64]:
    """Their equation 8, for distances of 0 to 2."""
    near = (12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + (6 - 2 * b)
    far = (-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 + (-12 * b - 48 * c) * x + (8 * b + 24 * c)
    return np.asarray(np.where(x < 1, near, far) / 6)
