"""The explicit label: a few words on a dark plate at the edge of a picture, drawn so that everybody can read them, and found again.

GB 45438-2025 asks for letters of at least 5 % of the shorter side, at a corner or edge. Where they stand is chosen by the product's mask:
beside the product wherever there is room. Drawing takes IEEE 754's basic operations and whole numbers, so the same picture gets the same
pixels everywhere.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from vision.image import Pixels
from vision.imagery.labels.glyphs import GLYPHS, HEIGHT

MIN_HEIGHT: Final = 0.05  # of the shorter side, a letter's; second-hand account of GB 45438-2025
_HEIGHT: Final = 0.055
# In letter heights:
_STROKE, _GAP, _LINE_GAP, _PAD, _MARGIN = 0.10, 0.14, 0.45, 0.42, 0.35
# White on this much black is read at 8.6 : 1 even on a white picture; WCAG 2.2 asks for 4.5 : 1 (success criterion 1.4.3).
_PLATE: Final = 0.70
_SEARCH_SIDE: Final = 800  # pixels of the shorter side at which labels are looked for
_SEARCH_SLACK: Final = 4
_FOUND_AT: Final = 0.75  # correlation; see the tests for what it keeps apart
_SECOND_LINE: Final = 0.05
_CONTRAST: Final = 64  # levels; a label has twice as many

_Unit = npt.NDArray[np.float64]


class Language(StrEnum):
    """A wording of the label."""

    CHINESE = "zh"
    ENGLISH = "en"


_WORDS: Final = {Language.CHINESE: "AI生成", Language.ENGLISH: "AI GENERATED"}
_WORDINGS: Final = ((Language.CHINESE,), (Language.ENGLISH,), (Language.CHINESE, Language.ENGLISH))


class Place(StrEnum):
    """Where at the edge a label stands, in the order of preference."""

    RIGHT_BOTTOM = "right bottom"
    LEFT_BOTTOM = "left bottom"
    RIGHT_TOP = "right top"
    LEFT_TOP = "left top"
    BOTTOM = "bottom"
    TOP = "top"
    RIGHT = "right"
    LEFT = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label that stands in a picture.

    Attributes:
        letters_px: height of its letters.
        box_xyxy: of its plate, in pixels.
        covered_px: pixels of the product under the plate; 0 where there was room beside it.
    """

    languages: tuple[Language, ...]
    place: Place
    letters_px: float
    box_xyxy: tuple[int, int, int, int]
    covered_px: int = 0


def draw(
    image_hwc: Pixels, languages: Sequence[Language], product_hw: npt.NDArray[np.bool_]
) -> tuple[Pixels, Label]:
    """Draw a label beside the product, or where it covers the least of it.

    Args:
        image_hwc: uint8 (H, W, 3) sRGB; left as it is.
        languages: the words in these, a line each.
        product_hw: bool (H, W), where the product is.
    """
    size_wh = (image_hwc.shape[1], image_hwc.shape[0])
    letters_px = _HEIGHT * min(size_wh)  # in fractions, so that a label looks the same at every size
    plate, ink = _drawn(tuple(languages), letters_px)
    boxes = {place: _box(place, plate.shape, size_wh, letters_px) for place in Place}
    covered = {
        place: int(np.count_nonzero(product_hw[y0:y1, x0:x1])) for place, (x0, y0, x1, y1) in boxes.items()
    }
    place = min(Place, key=covered.__getitem__)  # the first of the best
    x0, y0, x1, y1 = boxes[place]
    drawn = image_hwc.copy()
    drawn[y0:y1, x0:x1] = _mixed(_mixed(drawn[y0:y1, x0:x1], 0, plate * _PLATE), 255, ink)
    return drawn, Label(
        languages=tuple(languages),
        place=place,
        letters_px=letters_px,
        box_xyxy=boxes[place],
        covered_px=covered[place],
    )


def find(image_hwc: Pixels) -> Label | None:
    """A label as `draw` makes it, also in a picture that was scaled or compressed since; nothing where there is none.

    Args:
        image_hwc: uint8 (H, W, 3) sRGB.
    """
    height, width = image_hwc.shape[:2]
    scale = _SEARCH_SIDE / min(height, width)
    size_wh = (round(width * scale), round(height * scale))
    grey = cv2.resize(cv2.cvtColor(image_hwc, cv2.COLOR_RGB2GRAY), size_wh, interpolation=cv2.INTER_AREA)
    letters_px = _HEIGHT * min(size_wh)
    scored = [
        (_score(np.asarray(grey, np.uint8), languages, place, letters_px), languages, place)
        for languages in _WORDINGS
        for place in Place
    ]
    # a second line that is there scores no worse than the first alone, one that is not there much worse
    score, languages, place = max(scored, key=lambda one: one[0] + _SECOND_LINE * len(one[1]))
    if score < _FOUND_AT:
        return None
    shape = _drawn(languages, letters_px)[0].shape
    x0, y0, x1, y1 = (round(side / scale) for side in _box(place, shape, size_wh, letters_px))
    return Label(languages=languages, place=place, letters_px=letters_px / scale, box_xyxy=(x0, y0, x1, y1))


def _score(grey: Pixels, languages: tuple[Language, ...], place: Place, letters_px: float) -> float:
    ink = _drawn(languages, letters_px)[1]
    size_wh = (grey.shape[1], grey.shape[0])
    x0, y0, x1, y1 = _box(place, ink.shape, size_wh, letters_px)
    around = grey[
        max(y0 - _SEARCH_SLACK, 0) : y1 + _SEARCH_SLACK, max(x0 - _SEARCH_SLACK, 0) : x1 + _SEARCH_SLACK
    ]
    if int(around.max()) - int(around.min()) < _CONTRAST:  # correlation with next to nothing means nothing
        return 0.0
    return float(cv2.matchTemplate(around, (255 * ink).astype(np.uint8), cv2.TM_CCOEFF_NORMED).max())


def _box(
    place: Place, shape: tuple[int, ...], size_wh: tuple[int, int], letters_px: float
) -> tuple[int, int, int, int]:
    height, width = shape
    room_x, room_y = size_wh[0] - width, size_wh[1] - height
    margin_x, margin_y = min(round(_MARGIN * letters_px), room_x), min(round(_MARGIN * letters_px), room_y)
    x0 = margin_x if "left" in place else room_x - margin_x if "right" in place else room_x // 2
    y0 = margin_y if "top" in place else room_y - margin_y if "bottom" in place else room_y // 2
    return x0, y0, x0 + width, y0 + height


@lru_cache(maxsize=16)
def _drawn(languages: tuple[Language, ...], letters_px: float) -> tuple[_Unit, _Unit]:
    """Coverage, 0 to 1, of the plate and of the letters, (H, W) each."""
    lines = [_WORDS[language] for language in languages]
    pad, line = _PAD * letters_px, (1 + _LINE_GAP) * letters_px
    width = math.ceil(max(_width(words) for words in lines) * letters_px + 2 * pad)
    height = math.ceil(letters_px + (len(lines) - 1) * line + 2 * pad)
    ink = np.zeros((height, width))
    for number, words in enumerate(lines):
        left = (width - _width(words) * letters_px) / 2
        for segment in _segments(words, left, pad + number * line, letters_px):
            _brush(ink, segment, _STROKE * letters_px / 2)
    y, x = np.mgrid[:height, :width] + 0.5
    corner = 0.6 * pad
    beyond_x = np.abs(x - width / 2) - (width / 2 - corner)
    beyond_y = np.abs(y - height / 2) - (height / 2 - corner)
    outside = np.sqrt(np.maximum(beyond_x, 0) ** 2 + np.maximum(beyond_y, 0) ** 2)
    plate = np.clip(corner - outside + 0.5, 0, 1)
    for one in (plate, ink):  # shared by the cache
        one.setflags(write=False)
    return plate, ink


def _width(words: str) -> float:
    """In letter heights, strokes included."""
    return (
        sum(GLYPHS[letter].width / HEIGHT for letter in words) + (len(words) - 1) * (_GAP + _STROKE) + _STROKE
    )


def _segments(
    words: str, left: float, top: float, letters_px: float
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The words' strokes cut into straight pieces, in pixels; ink reaches from `top` to `top + letters_px`."""
    found = []
    scale = letters_px / HEIGHT
    inner = (1 - _STROKE) * scale  # vertically, strokes stay within the letters' height
    for letter in words:
        glyph = GLYPHS[letter]
        x0, y0 = left + _STROKE * letters_px / 2, top + _STROKE * letters_px / 2
        for stroke in glyph.strokes:
            points = [(x0 + x * scale, y0 + y * inner) for x, y in stroke]
            found += list(pairwise(points))
        left += glyph.width * scale + (_GAP + _STROKE) * letters_px
    return found


def _brush(ink: _Unit, segment: tuple[tuple[float, float], tuple[float, float]], radius: float) -> None:
    """Add the round brush's way along one straight piece, by the distance of the pixels' middles from it."""
    (x0, y0), (x1, y1) = segment
    dx, dy, reach = x1 - x0, y1 - y0, radius + 1
    left, right = max(math.floor(min(x0, x1) - reach), 0), math.ceil(max(x0, x1) + reach)
    top, bottom = max(math.floor(min(y0, y1) - reach), 0), math.ceil(max(y0, y1) + reach)
    part = ink[top:bottom, left:right]
    y, x = np.mgrid[: part.shape[0], : part.shape[1]] + 0.5
    x, y = x + (left - x0), y + (top - y0)
    at = np.clip((x * dx + y * dy) / (dx * dx + dy * dy), 0, 1)
    distance = np.sqrt((x - at * dx) ** 2 + (y - at * dy) ** 2)
    np.maximum(part, np.clip(radius - distance + 0.5, 0, 1), out=part)


def _mixed(pixels: Pixels, level: int, coverage: _Unit) -> Pixels:
    opacity = np.rint(255 * coverage).astype(np.uint16)[:, :, None]
    return ((pixels.astype(np.uint16) * (255 - opacity) + level * opacity + 127) // 255).astype(np.uint8)
