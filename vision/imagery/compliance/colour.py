"""Which colours a file's numbers mean, and the same colours in sRGB.

A profile is sRGB when it means sRGB's colours, whatever it calls itself; a file without one is taken for sRGB, as browsers do.
"""

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageCms

from vision.image import Pixels

_LIKE: Final = 4  # levels by which sRGB profiles of different makers differ, at most
_STEPS: Final = (0, 51, 102, 153, 204, 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """What a file's numbers mean.

    Attributes:
        name: of the colour space, for people.
        srgb: whether the numbers are sRGB's.
        profile: the embedded ICC profile of RGB, where it can be read; ink's (CMYK) and grey's are no use once a file is decoded.
    """

    name: str
    srgb: bool
    profile: bytes | None = None


def colours(mode: str, profile: bytes | None) -> Colours:
    """What a file's colour mode (Pillow's) and its ICC profile mean."""
    if mode == "CMYK":
        return Colours(name="CMYK", srgb=False)
    if not profile:
        return Colours(name="sRGB, untagged", srgb=True)
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = " ".join(ImageCms.getProfileDescription(opened).split())
        if opened.profile.xcolor_space.strip() != "RGB":
            return Colours(name=name, srgb=opened.profile.xcolor_space.strip() == "GRAY")
        grid = np.stack(np.meshgrid(_STEPS, _STEPS, _STEPS), axis=-1).reshape(36, 6, 3).astype(np.uint8)
        away = np.abs(to_srgb(grid, profile).astype(np.int16) - grid).max()
    except (ImageCms.PyCMSError, OSError) as error:
        return Colours(name=f"a profile that cannot be read ({error})", srgb=False)
    return Colours(name=name, srgb=bool(away <= _LIKE), profile=profile)


def transparent(data: bytes, image_format: str) -> float:
    """Share of a file's pixels that are not opaque, 0 to 1."""
    with Image.open(io.BytesIO(data), formats=[image_format]) as picture:
        if not picture.has_transparency_data:
            return 0.0
        alpha_hw = np.asarray(picture.convert("RGBA").getchannel("A"))
    return float((alpha_hw < 255).mean())


def to_srgb(image_hwc: Pixels, profile: bytes) -> Pixels:
    """The colours of uint8 (H, W, 3) as sRGB's numbers, relative colorimetric.

    Raises:
        PyCMSError: the profile cannot be used.
    """
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        "RGB",
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    return np.asarray(transform.apply(Image.fromarray(image_hwc)), np.uint8)
