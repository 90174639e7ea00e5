"""Pictures that say which they are and when they were taken, so that a test can tell whose frame it got.

Eight by six squares, black or white: sixteen bits of the number, twenty-four of the milliseconds (CLOCK_MONOTONIC), eight that never change.
They survive lossy coding.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from vision.image import Pixels

_SIDE: Final = 20
_COLUMNS: Final = 8
_ROWS: Final = 6
_FIXED: Final = 0b10100110
_AROUND: Final = (
    1 << 24
)  # milliseconds, some four hours and a half, until the clock in the picture begins anew
SIZE_WH: Final = (_SIDE * _COLUMNS, _SIDE * _ROWS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    number: int
    taken_s: float


def drawn(mark: Mark) -> Pixels:
    """uint8 (height, width), grey."""
    value = (mark.number % (1 << 16)) << 32 | (int(1e3 * mark.taken_s) % _AROUND) << 8 | _FIXED
    bits = np.array([value >> place & 1 for place in range(_COLUMNS * _ROWS)], np.uint8)
    squares = (235 * bits + 10).astype(np.uint8).reshape(_ROWS, _COLUMNS)
    return np.kron(squares, np.ones((_SIDE, _SIDE), np.uint8))


def read(image_hwc: Pixels, near_s: float) -> Mark:
    """What a picture, uint8 (height, width, 3), says of itself.

    Args:
        near_s: a moment less than two hours away, to which the clock in the picture is completed.

    Raises:
        ValueError: it is not such a picture, or not one alone.
    """
    width, height = SIZE_WH
    if image_hwc.shape != (height, width, 3):
        raise ValueError(f"expected a picture of {width}x{height}, found {image_hwc.shape}")
    inner = image_hwc.reshape(_ROWS, _SIDE, _COLUMNS, _SIDE, 3)[:, 4:-4, :, 4:-4].mean(axis=(1, 3, 4))
    if np.any((inner > 60) & (inner < 195)):
        raise ValueError("expected black and white squares, found grey ones")
    value = sum(int(one) << place for place, one in enumerate((inner > 127).reshape(-1)))
    if value & 0xFF != _FIXED:
        raise ValueError("expected the squares that never change, found others")
    behind_ms = (1e3 * near_s - (value >> 8) % _AROUND + _AROUND / 2) % _AROUND - _AROUND / 2
    return Mark(number=value >> 32, taken_s=near_s - 1e-3 * behind_ms)
