"""A candidate as it is kept in a folder: the manifest, and beside it what its digests speak of.

    photo.jpg (or .png ...)     the product photo as handed in
    alpha.png                   where in it the product is
    style.jpg (or .png ...)     the style picture as handed in, where there is one
    candidate-1.json            the manifest
    candidate-1.png             the master

Takes paths and bytes, gives values. It writes nothing and judges nothing.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from vision.errors import ImageryError
from vision.image import ImageLimits, Pixels, decode, read_bytes
from vision.imagery.brief import MAX_SIDE_PX
from vision.imagery.cutout.photo import PHOTO_LIMITS, read_photo
from vision.imagery.manifest import Manifest, parse_manifest

PHOTO: Final = "photo"
STYLE: Final = "style"
ALPHA: Final = "alpha.png"
SUFFIXES: Final = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}
MASTER_LIMITS: Final = ImageLimits(max_bytes=4 * MAX_SIDE_PX**2, max_pixels=MAX_SIDE_PX**2)
_MANIFEST_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is there of a candidate, where it is there; nothing is checked against the manifest yet."""

    manifest: Manifest
    photo: bytes | None
    alpha_png: bytes | None
    master_png: bytes | None
    style: bytes | None = None


@dataclass(frozen=True, slots=True)
class KeptProduct:
    """A photo and its alpha, from their files."""

    image_hwc: Pixels
    alpha_hw: Pixels


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pixels_sha256(image: Pixels) -> str:
    """Of the bytes, row by row."""
    return sha256(np.ascontiguousarray(image).tobytes())


def encode_alpha(alpha_hw: Pixels) -> bytes:
    """A grey PNG of uint8 (H, W)."""
    done, buffer = cv2.imencode(".png", alpha_hw)
    if not done:
        raise ImageryError(f"an alpha plane of shape {alpha_hw.shape} cannot be encoded as PNG")
    return buffer.tobytes()


def decode_alpha(alpha_png: bytes) -> Pixels:
    """Uint8 (H, W) from what `encode_alpha` made."""
    return np.ascontiguousarray(decode(alpha_png, name=ALPHA, limits=PHOTO_LIMITS).image_hwc[:, :, 0])


def kept_product(photo: bytes, alpha_png: bytes) -> KeptProduct:
    """Decode both.

    Raises:
        ImageError: one cannot be decoded.
        ImageryError: their sizes differ.
    """
    image, alpha = read_photo(photo, name="photo").image_hwc, decode_alpha(alpha_png)
    if alpha.shape != image.shape[:2]:
        raise ImageryError(
            f"{ALPHA}: expected {image.shape[:2]} rows and columns as the photo, found {alpha.shape}"
        )
    return KeptProduct(image, alpha)


def decode_master(master_png: bytes, *, name: str = "master") -> Pixels:
    """Uint8 RGB (H, W, 3)."""
    return decode(master_png, name=name, limits=MASTER_LIMITS).image_hwc


def read_kept(path: Path) -> Kept:
    """Read a manifest and the files beside it.

    Raises:
        ImageryError: the manifest is none.
        ImageError: a file cannot be read.
    """
    manifest = read_manifest(path)
    return Kept(
        manifest=manifest,
        photo=_if_there(_picture(path.parent, PHOTO), PHOTO_LIMITS),
        style=_if_there(_picture(path.parent, STYLE), PHOTO_LIMITS),
        alpha_png=_if_there(path.parent / ALPHA, PHOTO_LIMITS),
        master_png=_if_there(path.with_suffix(".png"), MASTER_LIMITS),
    )


def _picture(folder: Path, stem: str) -> Path:
    """By whichever format it has."""
    paths = [folder / f"{stem}{suffix}" for suffix in SUFFIXES.values()]
    return next((path for path in paths if path.exists()), paths[0])


def _if_there(path: Path, limits: ImageLimits) -> bytes | None:
    return read_bytes(path, limits=limits) if path.exists() else None


def read_manifest(path: Path) -> Manifest:
    """Read a manifest alone.

    Raises:
        ImageryError: it is none, or of a newer Loupe.
        ImageError: the file cannot be read.
    """
    return parse_manifest(read_bytes(path, limits=ImageLimits(max_bytes=_MANIFEST_BYTES)), name=str(path))
