"""A picture cut into tiles that overlap, so that a defect too small for the model at full view is seen at its own size.

The model must have been trained on such tiles; that cannot be seen from here.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from vision.errors import ImageError
from vision.image import Frame

_MIN_SIDE_PX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """A grid. `overlap` is the share of a tile's side, 0..0.5, that it has in common with its neighbour."""

    columns: int
    rows: int
    overlap: float = 0.1

    def cut(self, frame: Frame) -> Iterator[Frame]:
        """The tiles row by row, views of the frame; together they cover it, and all are of one size.

        Raises:
            ImageError: the picture is too small to be cut so.
        """
        height, width = frame.image_hwc.shape[:2]
        across, down = _spans(width, self.columns, self.overlap), _spans(height, self.rows, self.overlap)
        if min(across[0][1], down[0][1]) < _MIN_SIDE_PX:
            raise ImageError(
                f"{frame.name}: expected a picture of which {self.columns}x{self.rows} tiles are {_MIN_SIDE_PX} px a side at least, "
                f"found one of {width}x{height}"
            )
        for top, bottom in down:
            for left, right in across:
                yield Frame(
                    image_hwc=frame.image_hwc[top:bottom, left:right],
                    size_wh=(right - left, bottom - top),
                    name=f"{frame.name}, tile at {left},{top}",
                )


def _spans(length: int, count: int, overlap: float) -> list[tuple[int, int]]:
    """Begin and end of each of `count` spans of one size that cover `length` and have `overlap` of it in common."""
    side = min(length, math.ceil(length / (count - (count - 1) * overlap)))
    begins = [(length - side) * number // max(count - 1, 1) for number in range(count)]
    return [(begin, begin + side) for begin in begins]
