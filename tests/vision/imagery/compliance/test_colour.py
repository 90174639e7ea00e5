"""Colours are sRGB when their numbers mean sRGB's, whatever the profile is called."""

import numpy as np
import pytest
from PIL import ImageCms

from tests.pictures import encoded, smooth
from tests.vision.imagery.compliance.mutations import wide_gamut
from vision.imagery.compliance.colour import colours, to_srgb, transparent


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_without_a_profile_numbers_are_taken_for_srgb() -> None:
    assert colours("RGB", None).srgb


def test_a_profile_that_means_srgb_is_srgb() -> None:
    found = colours("RGB", srgb())
    assert found.srgb
    assert "sRGB" in found.name


@pytest.mark.parametrize(
    ("mode", "profile", "name"),
    [
        ("RGB", wide_gamut(), "a wider gamut"),
        ("CMYK", None, "CMYK"),
        ("RGB", b"no profile", "a profile that cannot be read"),
    ],
)
def test_other_colours_are_told_by_name(mode: str, profile: bytes | None, name: str) -> None:
    found = colours(mode, profile)
    assert not found.srgb
    assert name in found.name


def test_turned_into_srgb_a_wide_gamuts_colours_get_stronger_and_grey_stays_grey() -> None:
    image = np.full((2, 2, 3), 128, np.uint8)
    image[0, 0] = (80, 180, 80)
    turned = to_srgb(image, wide_gamut()).astype(int)
    assert turned[0, 0, 1] - turned[0, 0, 0] > 100
    assert np.abs(turned[1, 1] - turned[1, 1, 0]).max() <= 1


def test_the_share_that_is_not_opaque_is_measured() -> None:
    alpha = np.full((10, 20, 1), 255, np.uint8)
    alpha[:5] = 254
    pixels = np.dstack([smooth(20, 10), alpha])
    assert transparent(encoded(pixels, "PNG"), "PNG") == 0.5
    assert transparent(encoded(smooth(20, 10), "JPEG"), "JPEG") == 0
