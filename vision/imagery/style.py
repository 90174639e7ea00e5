"""A style picture: its pixels, and what of its look our generators can be told.

Takes an encoded picture, gives values. The product of such a picture mostly stands in its middle, so only its sides are looked at; what they do not
show plainly is not told. Wall and table are the nearest of those that the words know, by classifiers fitted to the sides of drawn scenes:

    Reader.fitted(seen=sides).save(READER)
"""

from functools import lru_cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from vision.errors import ImageryError
from vision.image import Pixels, decode
from vision.imagery.brief import Light
from vision.imagery.cutout.photo import PHOTO_LIMITS, read_photo
from vision.imagery.look import READ, Look
from vision.imagery.scenes.procedural.captions import caption_of
from vision.imagery.scenes.procedural.reading import Evidence, Read, Reader
from vision.imagery.scenes.scene import Style

READER: Final = Path(__file__).parent / "style.npz"

_HEIGHT: Final = 64
_STRIP: Final = 0.3  # of the width, at the left and at the right, of a picture no wider than high
_MOST_TRANSPARENT: Final = 0.5
# What drawn scenes show, with room for photographs: 98 of 100 are within each, and pictures of no scene beyond one of the first four.
_LEAST_EDGE: Final = 4.0
_LEAST_EDGE_OVER_REST: Final = 3.0
_MOST_COLOURS: Final = 16.0
_MOST_SHADES: Final = 45.0
_MOST_FROM_MATERIAL: Final = 30.0
_LEAST_LEAN: Final = 0.25
_MOST_LEAN_FROM_ABOVE: Final = 0.16
_LEAST_POOL: Final = 0.1


def read_style(data: bytes, *, name: str = "style") -> Style:
    """Decode a style picture and read its look.

    Raises:
        ImageError: not a picture that `vision.image` decodes, in CMYK, or too small or too large: the limits are those of a product's photo.
        ImageryError: most of it is transparent.
    """
    image_hwc = style_pixels(data, name=name)
    return Style(image_hwc=image_hwc, look=look_of(image_hwc))


def style_pixels(data: bytes, *, name: str = "style") -> Pixels:
    """Its pixels alone: uint8 (H, W, 3), upright, what is transparent on white, as it is shown. Raises as `read_style`."""
    photo = read_photo(data, name=name)
    if photo.alpha_hw is None:
        return photo.image_hwc
    transparent = float((photo.alpha_hw < 128).mean())
    if transparent > _MOST_TRANSPARENT:
        raise ImageryError(
            f"{name}: expected a picture of a scene, found {transparent:.0%} of it transparent"
        )
    return decode(data, name=name, limits=PHOTO_LIMITS).image_hwc


def look_of(image_hwc: Pixels) -> Look:
    """The look of uint8 (H, W, 3) sRGB, as far as its sides show it plainly.

    Without an even wall nothing is told, and without a far edge no table. The light's side is told where one side is clearly brighter, from above
    where neither is and the middle is.
    """
    read, evidence = _carried().weigh(sides(image_hwc))
    if evidence.colours > _MOST_COLOURS or evidence.shades > _MOST_SHADES:
        return Look()
    edge = evidence.edge >= _LEAST_EDGE and evidence.edge_over_rest >= _LEAST_EDGE_OVER_REST
    return Look(
        wall=read.wall,
        table=read.table if edge and evidence.table <= _MOST_FROM_MATERIAL else None,
        light=_light(read, evidence),
        horizon=read.layout.horizon if edge else None,
    )


def sides(image_hwc: Pixels) -> Pixels:
    """The picture's left and right without its middle, 64 px high."""
    height, width = image_hwc.shape[:2]
    small_wh = max(round(_HEIGHT * width / height), 2), _HEIGHT
    small = cv2.resize(image_hwc, small_wh, interpolation=cv2.INTER_AREA)
    strip = max(round(_STRIP * min(small_wh)), 1)
    return np.concatenate([small[:, :strip], small[:, -strip:]], axis=1).astype(np.uint8)


def told(look: Look) -> str:
    """For a designer: what was taken, and what could not be told."""
    missing = [name for name in READ if name not in look.said]
    left = f"; not to be told, and left to the generator: {', '.join(missing)}" if missing else ""
    return f"taken from the style picture: {caption_of(look) or 'nothing'}{left}"


def _light(read: Read, evidence: Evidence) -> Light | None:
    if abs(evidence.lean) >= _LEAST_LEAN:
        return read.layout.light
    above = abs(evidence.lean) <= _MOST_LEAN_FROM_ABOVE and evidence.pool >= _LEAST_POOL
    return Light.ABOVE if above else None


@lru_cache(maxsize=1)
def _carried() -> Reader:
    return Reader.load(READER)
