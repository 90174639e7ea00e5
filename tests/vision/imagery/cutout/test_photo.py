"""A photo gives its own pixels and its own transparency, or an error; doubtful colours are said."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.pictures import alpha_ramp, difference, encoded, exif, hollow_png, rough, smooth
from vision.errors import ImageError
from vision.image import encode_png
from vision.imagery.cutout.photo import PHOTO_LIMITS, read_photo

W, H = 97, 81
RGB = rough(W, H)
RGBA = np.dstack([RGB, alpha_ramp(W, H)])


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def wide_profile() -> bytes:
    """sRGB's own profile with its red and green primaries exchanged: colours that no sRGB screen shows right."""
    profile = bytearray(srgb_profile())
    count = struct.unpack_from(">I", profile, 128)[0]
    at = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 136 + 12 * i for i in range(count)}
    red, green = (bytes(profile[at[tag] : at[tag] + 8]) for tag in (b"rXYZ", b"gXYZ"))
    profile[at[b"rXYZ"] : at[b"rXYZ"] + 8], profile[at[b"gXYZ"] : at[b"gXYZ"] + 8] = green, red
    return bytes(profile)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_the_colours_beneath_transparency_are_kept(image_format: str) -> None:
    photo = read_photo(encoded(RGBA, image_format, lossless=True, exact=True))

    assert np.array_equal(photo.image_hwc, RGB)
    assert photo.alpha_hw is not None
    assert np.array_equal(photo.alpha_hw, RGBA[:, :, 3])


def test_a_photo_that_is_opaque_throughout_has_no_transparency() -> None:
    opaque = np.dstack([RGB, np.full((H, W), 255, np.uint8)])

    assert read_photo(encoded(opaque, "PNG")).alpha_hw is None
    assert read_photo(encode_png(RGB)).alpha_hw is None


def test_pixels_and_transparency_are_turned_upright_together() -> None:
    photo = read_photo(encoded(RGBA, "PNG", exif=exif(6)))

    assert np.array_equal(photo.image_hwc, np.rot90(RGB, -1))
    assert photo.alpha_hw is not None
    assert np.array_equal(photo.alpha_hw, np.rot90(RGBA[:, :, 3], -1))


def test_a_grey_value_declared_transparent_is_transparency() -> None:
    key = int(RGB[3, 4, 0])
    photo = read_photo(encoded(RGB[:, :, 0], "PNG", transparency=key))

    assert photo.alpha_hw is not None
    assert np.array_equal(photo.alpha_hw == 0, RGB[:, :, 0] == key)
    assert np.array_equal(photo.image_hwc[:, :, 1], RGB[:, :, 0])


def test_sixteen_bits_become_eight_by_rounding() -> None:
    deep = encoded(RGB[:, :, 0].astype(np.uint16) * 257, "PNG")

    assert np.array_equal(read_photo(deep).image_hwc[:, :, 2], RGB[:, :, 0])


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_cmyk_is_refused_and_the_way_out_is_said(image_format: str) -> None:
    press = encoded(Image.fromarray(smooth(W, H)).convert("CMYK"), image_format)

    with pytest.raises(
        ImageError, match=r"mug\.jpg: expected a photo in RGB or grey, found CMYK; convert it"
    ):
        read_photo(press, name="mug.jpg")


def test_a_tiny_photo_is_refused_with_its_size() -> None:
    with pytest.raises(ImageError, match="expected sides of at least 64 px, found 63x200"):
        read_photo(encode_png(rough(63, 200)))


def test_a_huge_photo_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ImageError, match="expected at most 64000000 pixels, found 9000x8000"):
        read_photo(hollow_png(9000, 8000))
    with pytest.raises(ImageError, match=f"expected at most {PHOTO_LIMITS.max_bytes} bytes"):
        read_photo(encode_png(RGB) + bytes(PHOTO_LIMITS.max_bytes))


def test_what_is_no_photo_is_refused_by_name() -> None:
    with pytest.raises(ImageError, match=r"^notes\.txt: "):
        read_photo(b"no picture but words", name="notes.txt")


def test_colours_in_srgb_need_no_words() -> None:
    assert read_photo(encoded(RGB, "PNG", icc_profile=srgb_profile())).warnings == ()
    assert read_photo(encode_png(RGB)).warnings == ()


def test_another_colour_space_is_told_with_how_far_colours_are_off() -> None:
    (warning,) = read_photo(encoded(RGB, "PNG", icc_profile=wide_profile())).warnings

    assert "profile is not sRGB" in warning
    assert int(warning.split("up to ")[1].split()[0]) > 50


def test_a_grey_photo_with_a_profile_for_colours_is_told() -> None:
    (warning,) = read_photo(encoded(RGB[:, :, 0], "PNG", icc_profile=srgb_profile())).warnings

    assert "cannot be read" in warning


def test_a_damaged_profile_is_told_and_the_photo_taken() -> None:
    photo = read_photo(encoded(RGB, "JPEG", icc_profile=b"no profile" * 20))

    assert "cannot be read" in photo.warnings[0]
    assert difference(photo.image_hwc[:1], photo.image_hwc[:1]) == 0
