"""Text in a picture, read by RapidOCR with the models that its package brings. Takes pixels, gives lines; what they mean is not known here."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from vision.image import Pixels
from vision.imagery.compliance.reader import reader

# Longest sides that a picture is read at, since the reader finds large letters in small pictures and small ones in large. They bound the
# time, too.
_READ_PX: Final = (600, 800, 1120)
_ONE_AT_A_TIME: Final = threading.Lock()  # one reading takes up to half a GiB of memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of text.

    Attributes:
        score: the reader's confidence, 0 to 1.
        box_xyxy: in pixels of the picture.
    """

    words: str
    score: float
    box_xyxy: tuple[int, int, int, int]


def read(image_hwc: Pixels) -> tuple[Line, ...]:
    """All lines in uint8 RGB (H, W, 3), in the reader's order.

    Raises:
        MissingExtraError: the reader is not installed.
    """
    sides = sorted({min(longest_px, max(image_hwc.shape[:2])) for longest_px in _READ_PX})
    lines = [line for longest_px in sides for line in _read_at(image_hwc, longest_px)]
    return tuple({(line.words, line.box_xyxy): line for line in lines}.values())


def _read_at(image_hwc: Pixels, longest_px: int) -> Iterator[Line]:
    height, width = image_hwc.shape[:2]
    share = longest_px / max(height, width)
    size_wh = max(1, round(width * share)), max(1, round(height * share))
    smaller = cv2.resize(image_hwc, size_wh, interpolation=cv2.INTER_AREA)
    with _ONE_AT_A_TIME:
        found = reader()(cv2.cvtColor(smaller, cv2.COLOR_RGB2BGR))
    if found.boxes is None:
        return
    for words, score, corners in zip(found.txts, found.scores, found.boxes, strict=True):
        box_xyxy = _box(np.asarray(corners) / share, width, height)
        yield Line(words=str(words), score=float(score), box_xyxy=box_xyxy)


def _box(corners_xy: np.ndarray, width: int, height: int) -> tuple[int, int, int, int]:
    """The upright box around four corners, at least a pixel wide and within the picture."""
    left, top = (int(value) for value in np.floor(corners_xy.min(axis=0)))
    right, bottom = (int(value) for value in np.ceil(corners_xy.max(axis=0)))
    left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    return left, top, min(max(right, left + 1), width), min(max(bottom, top + 1), height)
