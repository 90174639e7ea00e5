"""Raw bytes as GenICam cameras send them to RGB pixels. It knows eight-bit formats by their standard names, and no camera."""

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np

from edge.cameras.ring import Pixels

# The first two letters after `Bayer` are the sensor's first two pixels; OpenCV's long names spell out both rows.
_TO_RGB: Final[Mapping[str, int | None]] = {
    "Mono8": cv2.COLOR_GRAY2RGB,
    "RGB8": None,
    "BGR8": cv2.COLOR_BGR2RGB,
    "BayerRG8": cv2.COLOR_BayerRGGB2RGB,
    "BayerGR8": cv2.COLOR_BayerGRBG2RGB,
    "BayerGB8": cv2.COLOR_BayerGBRG2RGB,
    "BayerBG8": cv2.COLOR_BayerBGGR2RGB,
}
PIXEL_FORMATS: Final = tuple(_TO_RGB)


def to_rgb(data: bytes, pixel_format: str, size_wh: tuple[int, int]) -> Pixels:
    """Pixels, uint8 (height, width, 3), RGB.

    Args:
        data: the rows, without padding.
        pixel_format: one of `PIXEL_FORMATS`.

    Raises:
        ValueError: the data is not that of such a picture.
    """
    width, height = size_wh
    channels = 3 if pixel_format in {"RGB8", "BGR8"} else 1
    if len(data) != width * height * channels:
        raise ValueError(
            f"expected {width * height * channels} bytes of {pixel_format}, {width}x{height}; found {len(data)}"
        )
    rows = np.frombuffer(data, np.uint8).reshape((height, width, channels)[: 3 if channels > 1 else 2])
    code = _TO_RGB[pixel_format]
    return rows if code is None else np.asarray(cv2.cvtColor(rows, code), np.uint8)
