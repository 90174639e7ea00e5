"""A product's photo to a `Cutout`: the photo's own pixels, and beside them how much of each is product.

The product is where a mask says, else where the photo's own transparency says, else where it is found.
"""

from dataclasses import dataclass

from vision.errors import ImageryError
from vision.image import Pixels
from vision.imagery.cutout.find import find, shrunk
from vision.imagery.cutout.mask import EVERYTHING, NOTHING, read_mask
from vision.imagery.cutout.photo import read_photo
from vision.imagery.cutout.quality import contrast, judge, warnings
from vision.imagery.cutout.saliency import Saliency
from vision.settings import read_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout:
    """A product told from its background.

    Attributes:
        image_hwc: uint8 (H, W, 3), sRGB, upright: the photo's own pixels, all of them, untouched.
        alpha_hw: uint8 (H, W), 255 where a pixel is all product.
        how: `mask`, `alpha`, or the method that found it.
        quality: 0 to 1, as `vision.imagery.cutout.quality` explains.
        warnings: what a designer should know before relying on it.
    """

    image_hwc: Pixels
    alpha_hw: Pixels
    how: str
    quality: float
    warnings: tuple[str, ...]


def cut_out(photo: bytes, mask: bytes | None = None, *, name: str = "product") -> Cutout:
    """Tell the product in a photo from its background.

    Args:
        photo: the encoded photo.
        mask: an encoded PNG of the upright photo's size, white or opaque where the product is; it is taken as it is.
        name: of the photo, for messages.

    Raises:
        ImageError: the photo or the mask cannot be decoded, is too small or too large, or is in CMYK.
        ImageryError: the mask does not fit, or there is no product to be seen.
        SettingsError: the settings in the environment are not understood.
    """
    seen = read_photo(photo, name=name)
    image, own = seen.image_hwc, seen.alpha_hw
    told = list(seen.warnings)
    if mask is not None:
        alpha, how = read_mask(mask, (image.shape[1], image.shape[0]), name=f"{name}, mask"), "mask"
        told += _hidden(alpha, own)
        quality = judge(shrunk(alpha), contrast=contrast(shrunk(image), shrunk(alpha)), agreement=1)
    elif own is not None and float((own >= 128).mean()) <= EVERYTHING:
        alpha, how = _shown(own, name), "alpha"
        quality = judge(shrunk(alpha), contrast=1, agreement=1)
    else:
        found = find(image, Saliency.installed(read_settings()), name=name)
        alpha, how = found.alpha_hw, found.how
        told += found.warnings
        seen_at_edge = contrast(shrunk(image), shrunk(alpha))
        quality = judge(shrunk(alpha), contrast=seen_at_edge, agreement=found.agreement)
    told += warnings(quality, shrunk(alpha))
    return Cutout(
        image_hwc=image, alpha_hw=alpha, how=how, quality=round(quality.score, 4), warnings=tuple(told)
    )


def _shown(own_hw: Pixels, name: str) -> Pixels:
    share = float((own_hw >= 128).mean())
    if share < NOTHING:
        raise ImageryError(f"{name}: expected a product, found all but {share:.2%} of the photo transparent")
    return own_hw


def _hidden(alpha_hw: Pixels, own_hw: Pixels | None) -> list[str]:
    """A warning where a mask shows what the photo itself hides."""
    if own_hw is None:
        return []
    product = alpha_hw >= 128
    share = float((own_hw[product] < 128).mean())
    return [f"{share:.1%} of the mask's product is transparent in the photo"] if share > 0.01 else []
