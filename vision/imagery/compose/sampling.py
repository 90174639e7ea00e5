"""Pictures through an affine map, in whole numbers: the same pixels on every processor.

OpenCV's own warps differ between instruction sets, so positions are rounded to 1/256 pixel here and mixed as integers.
"""

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from vision.image import Pixels

_STRIP: Final = 256  # rows at a time, which bounds the memory
_ONE: Final = 256  # fixed-point one, of positions and of weights
_PAD: Final = 2

Matrix = npt.NDArray[np.float64]


def sample(
    image: Pixels, matrix: Matrix, size_wh: tuple[int, int], *, outside: Literal["edge", "constant"]
) -> Pixels:
    """Bilinear samples of uint8 (h, w, c) at `matrix @ (x, y, 1)` for each pixel (x, y) of the result, uint8 (H, W, c).

    Args:
        matrix: float64 (2, 3), from the result's pixel indices to the image's.
        outside: continue the edge's pixels, or zeros.
    """
    width, height = size_wh
    border = ((_PAD, _PAD), (_PAD, _PAD), (0, 0))
    padded = np.pad(image, border, mode=outside)
    result = np.empty((height, width, image.shape[2]), np.uint8)
    columns = np.arange(width, dtype=np.float64)[None, :]
    for top in range(0, height, _STRIP):
        rows = np.arange(top, min(top + _STRIP, height), dtype=np.float64)[:, None]
        (x, part_x), (y, part_y) = (
            _fixed(line[0] * columns + line[1] * rows + line[2], limit)
            for line, limit in zip(matrix, (image.shape[1], image.shape[0]), strict=True)
        )
        upper = padded[y, x] * (_ONE - part_x) + padded[y, x + 1] * part_x
        lower = padded[y + 1, x] * (_ONE - part_x) + padded[y + 1, x + 1] * part_x
        mixed = upper * (_ONE - part_y) + lower * part_y
        result[top : top + len(rows)] = (mixed + _ONE * _ONE // 2) // (_ONE * _ONE)
    return result


def _fixed(
    position: npt.NDArray[np.float64], limit: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Index into the padded picture and the part beyond it, in 1/256, with an axis for the channels."""
    fixed = np.floor(position * _ONE + 0.5)
    fixed = np.clip(fixed, -_PAD * _ONE, limit * _ONE).astype(np.int64)
    return (fixed >> 8) + _PAD, (fixed & (_ONE - 1))[:, :, None]
