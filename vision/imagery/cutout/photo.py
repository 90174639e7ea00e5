"""A product's photo: its own pixels, upright, its own transparency beside them, and what makes its colours doubtful.

The pixels are exactly those that the file holds, also beneath transparency: all later proofs that a product was left alone start here.
"""

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageCms

from vision.errors import ImageError
from vision.image import ImageLimits, Pixels, decode_layers, read_header

PHOTO_LIMITS: Final = ImageLimits(max_bytes=64 * 1024 * 1024, max_pixels=64_000_000, min_side_px=64)
_SEEN_SHIFT: Final = 3  # levels of 255; below that two profiles are the same to the eye and to rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A decoded photo.

    Attributes:
        image_hwc: uint8 (H, W, 3), RGB, upright; taken for sRGB.
        alpha_hw: uint8 (H, W), its own transparency; nothing where all of it is opaque.
        warnings: what a designer should know about its colours.
    """

    image_hwc: Pixels
    alpha_hw: Pixels | None
    warnings: tuple[str, ...] = ()


def read_photo(data: bytes, *, name: str = "product") -> Photo:
    """Decode a product's photo.

    Raises:
        ImageError: not a picture that `vision.image` decodes, outside `PHOTO_LIMITS`, or in CMYK, whose colours are right for one
            printing press only.
    """
    header = read_header(data, name=name, limits=PHOTO_LIMITS)
    if header.mode == "CMYK":
        raise ImageError(f"{name}: expected a photo in RGB or grey, found CMYK; convert it to sRGB first")
    layers = decode_layers(data, name=name, limits=PHOTO_LIMITS)
    alpha = layers.alpha_hw
    return Photo(
        image_hwc=layers.image_hwc,
        alpha_hw=None if alpha is None or alpha.min() == 255 else alpha,
        warnings=_colour_warnings(header.profile, grey=header.mode in {"1", "L", "LA", "I;16"}),
    )


def _colour_warnings(profile: bytes, *, grey: bool) -> tuple[str, ...]:
    if not profile:
        return ()
    shift = _shift(profile, "L" if grey else "RGB")
    if shift is None:
        return ("the photo's colour profile cannot be read; its colours are taken for sRGB",)
    if shift <= _SEEN_SHIFT:
        return ()
    return (
        f"the photo's colour profile is not sRGB: taken for it, colours are wrong by up to {shift} levels of 255; convert it first",
    )


def _shift(profile: bytes, mode: str) -> int | None:
    """By how many levels colours differ at most between the profile and sRGB; nothing where the profile is not understood."""
    steps = np.linspace(0, 255, 6).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 1, 3)
    given = colours if mode == "RGB" else steps[:, None]
    try:
        here = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        turn = ImageCms.buildTransform(here, ImageCms.createProfile("sRGB"), mode, "RGB")
        meant = np.asarray(ImageCms.applyTransform(Image.fromarray(given), turn), np.int64)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    return int(np.abs(meant - given.reshape(len(given), 1, -1)).max())
