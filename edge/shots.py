"""A shot's picture as bytes that can be kept: an encoded file as it came, pixels as a lossless PNG."""

from collections.abc import Sequence
from typing import Final

from edge.ports import Shot
from vision.errors import ImageError
from vision.image import ImageLimits, encode_png, read_header

UNLIMITED: Final = ImageLimits(
    max_bytes=2**40, max_pixels=2**40, min_side_px=1
)  # what a camera of ours gave, we keep
_SUFFIXES: Final = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}


def weight(shots: Sequence[Shot]) -> int:
    """How many bytes of memory their pictures take."""
    return sum(
        len(one.image) if isinstance(one.image, bytes) else one.image.image_hwc.nbytes for one in shots
    )


def lossless(shot: Shot) -> bytes:
    """The picture as a file's bytes.

    Raises:
        ImageError: pixels that no PNG can hold.
    """
    return shot.image if isinstance(shot.image, bytes) else encode_png(shot.image.image_hwc)


def suffix(data: bytes) -> str:
    """What a file of these bytes is to be called; `.bin` where they are no picture."""
    try:
        return _SUFFIXES[read_header(data, limits=UNLIMITED).format]
    except ImageError:
        return ".bin"
