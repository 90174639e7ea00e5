"""What can be said of a file that somebody hands over: is it signed and whole, what labels does it carry, and is the product still its photo's.

Everything is derived from the file's bytes and, for the product, from photo, alpha and manifest; nothing that the file says of itself is believed
unless a signature holds.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL.JpegImagePlugin import JpegImageFile

from vision.errors import ImageryError
from vision.image import decode, read_header
from vision.imagery.certificates import read_certificates
from vision.imagery.compose.place import place
from vision.imagery.kept import MASTER_LIMITS, kept_product, sha256
from vision.imagery.labels.carriers import read_labels
from vision.imagery.labels.corner import find
from vision.imagery.labels.marks import Found
from vision.imagery.manifest import Manifest
from vision.imagery.provenance import Credentials, read

_BLOCK: Final = 32  # pixels a side, over which encoding's errors cancel out and a change of shade does not
_JPEG_REACH: Final = 8  # pixels that an explicit label may disturb around it
# What encoding does grows with a JPEG's quantisation: by its largest step for a pixel, by its first one, of the mean, for a block. Fitted to
# lettered goods at qualities 80 to 95, the worst of which reached 0.85 of these.
_PIXEL_ALLOWED: Final = (14.0, 1.6)
_DRIFT_ALLOWED: Final = (1.0, 0.75)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a file is.

    Attributes:
        format: as its bytes say.
        sha256: of its bytes.
    """

    format: str
    sha256: str
    credentials: Credentials
    labels: Found


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductReport:
    """The product in a file against its photo, in levels of 255, leaving out its soft edge and an explicit label.

    Attributes:
        pixels: that were compared.
        max_delta: the largest difference of a pixel.
        drift: the largest difference of a block's mean, which shows a change of shade that is too small for a pixel's.
        max_allowed, drift_allowed: 0 in a lossless file; in a JPEG what its own quantisation does.
    """

    pixels: int
    max_delta: int
    drift: float
    max_allowed: int
    drift_allowed: float

    @property
    def kept(self) -> bool:
        return self.pixels > 0 and self.max_delta <= self.max_allowed and self.drift <= self.drift_allowed


def verify_file(data: bytes, *, trust: Path | None = None, name: str = "image") -> Verification:
    """Read a file's content credentials and labels.

    Args:
        trust: PEM, root certificates that are trusted beside those of the C2PA library.

    Raises:
        ImageError: no picture, or a damaged one.
        SettingsError: `trust` holds no certificates.
        MissingExtraError: c2pa-python is not installed.
    """
    header = read_header(data, name=name, limits=MASTER_LIMITS)
    anchors = read_certificates(trust) if trust else None
    return Verification(
        format=header.format,
        sha256=sha256(data),
        credentials=read(data, anchors=anchors, name=name),
        labels=read_labels(data, name=name, limits=MASTER_LIMITS),
    )


def verify_product(
    data: bytes, manifest: Manifest, *, photo: bytes, alpha_png: bytes, name: str = "image"
) -> ProductReport:
    """Hold the product in a file against its photo, placed again as the manifest says.

    Raises:
        ImageError: a picture cannot be decoded.
        ImageryError: photo or alpha are not the manifest's, or the file is not of the frame's size.
    """
    for what, expected, found in (
        ("photo", manifest.photo, sha256(photo)),
        ("alpha", manifest.cutout.alpha, sha256(alpha_png)),
    ):
        if found != expected:
            raise ImageryError(f"{what}: expected sha256 {expected}, found {found}")
    frame = decode(data, name=name, limits=MASTER_LIMITS)
    if frame.size_wh != manifest.placement.frame_wh:
        raise ImageryError(f"{name}: expected {manifest.placement.frame_wh} px, found {frame.size_wh}")
    placed = place(kept_product(photo, alpha_png), manifest.placement)
    compared = placed.locked_hw.copy()
    label = find(frame.image_hwc)
    if label is not None:
        x0, y0, x1, y1 = label.box_xyxy
        compared[max(y0 - _JPEG_REACH, 0) : y1 + _JPEG_REACH, max(x0 - _JPEG_REACH, 0) : x1 + _JPEG_REACH] = (
            False
        )
    deltas = frame.image_hwc.astype(np.float32) - placed.image_hwc
    deltas[~compared] = 0
    max_allowed, drift_allowed = _allowed(data, name)
    return ProductReport(
        pixels=int(np.count_nonzero(compared)),
        max_delta=int(np.abs(deltas).max()),
        drift=round(_drift(deltas, compared), 3),
        max_allowed=max_allowed,
        drift_allowed=drift_allowed,
    )


def _drift(deltas_hwc: npt.NDArray[np.float32], compared_hw: npt.NDArray[np.bool_]) -> float:
    """Over blocks that lie wholly on what is compared; 0 where none does."""
    size = (_BLOCK, _BLOCK)
    whole = np.asarray(
        cv2.erode(compared_hw.astype(np.uint8), np.ones(size, np.uint8), borderValue=0), np.bool_
    )
    means = np.abs(np.asarray(cv2.boxFilter(deltas_hwc, -1, size), np.float32))
    return float(means[whole].max(initial=0))


def _allowed(data: bytes, name: str) -> tuple[int, float]:
    """Of a pixel and of a block."""
    if read_header(data, name=name, limits=MASTER_LIMITS).format != "JPEG":
        return 0, 0.0
    with JpegImageFile(io.BytesIO(data)) as picture:
        tables = list(picture.quantization.values())
    largest, first = max(map(max, tables)), max(table[0] for table in tables)
    return (
        round(_PIXEL_ALLOWED[0] + _PIXEL_ALLOWED[1] * largest),
        _DRIFT_ALLOWED[0] + _DRIFT_ALLOWED[1] * first,
    )
