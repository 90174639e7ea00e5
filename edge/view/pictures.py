"""The last part's picture as a browser shows it: drawn when somebody asks, once a part, one at a time, in a thread of its own.

The thread has the priority of all others on purpose: a nicer one that holds the interpreter's lock would make the stations wait for it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import cv2
import numpy as np

from edge.ports import Shot
from vision.image import ImageLimits, decode, encode_png

_SIDE_PX: Final = 640  # the longer one of a picture that was not judged
_KEPT: Final = (
    2  # parts that pages may have been told of and not yet asked for, a station; raw pictures are large
)
_LIMITS: Final = ImageLimits(max_bytes=64 * 2**20)


def as_png(shot: Shot) -> bytes:
    """A camera's picture, made small.

    Raises:
        ImageError: it cannot be decoded.
    """
    frame = (
        decode(shot.image, name=shot.name, limits=_LIMITS) if isinstance(shot.image, bytes) else shot.image
    )
    height, width = frame.image_hwc.shape[:2]
    shrink = min(1.0, _SIDE_PX / max(height, width))
    size_wh = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = cv2.resize(frame.image_hwc, size_wh, interpolation=cv2.INTER_AREA)
    return encode_png(np.asarray(small, np.uint8))


class Pictures:
    """Pictures of parts that pages were told of. Used on one event loop."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="view-picture")
        self._told: dict[str, dict[int, Callable[[], bytes]]] = {}
        self._drawn: dict[str, tuple[int, asyncio.Future[bytes]]] = {}

    def tell(self, station: str, part: int, draw: Callable[[], bytes]) -> None:
        """A page learns of a part now, and may ask for its picture."""
        told = self._told.setdefault(station, {})
        told[part] = draw
        for old in list(told)[:-_KEPT]:
            del told[old]

    async def png(self, station: str, part: int) -> bytes | None:
        """The picture of a part that a page was told of; none when it is forgotten by now.

        Raises:
            ImageError: it cannot be shown.
        """
        known, drawing = self._drawn.get(station, (0, None))
        if drawing is None or known != part:
            draw = self._told.get(station, {}).get(part)
            if draw is None:
                return None
            drawing = asyncio.get_running_loop().run_in_executor(self._thread, draw)
            self._drawn[station] = (part, drawing)
        return await asyncio.shield(drawing)  # others may wait for it, too

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
