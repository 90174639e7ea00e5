"""A picture that is kept says nothing of who took it, where and with what, and shows the same to the last bit."""

import io
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from vision.errors import ImageError
from vision.image import ImageLimits, decode, read_header
from vision.privacy import without_metadata

SECRET: Final = b"Unter den Linden 5, kim@example.org"
GPS: Final = 0x8825
FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")


def picture(seed: int = 0, size: tuple[int, int] = (40, 24)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(pixels)


def exif(orientation: int) -> bytes:
    found = Image.Exif()
    found[0x0112] = orientation
    found[0x010F] = SECRET.decode()  # the camera's maker
    found.get_ifd(GPS).update({1: "N", 2: (52.0, 31.0, 1.25), 29: "2026:05:04"})
    return found.tobytes()


def taken(image_format: str, orientation: int = 1, **options: Any) -> bytes:
    """A photo that says who took it in every way that its format has."""
    file = io.BytesIO()
    if image_format == "JPEG":
        options = {"exif": exif(orientation), "comment": SECRET, "xmp": SECRET, "quality": 90} | options
    elif image_format == "PNG":
        told = PngInfo()
        told.add_text("Author", SECRET.decode())
        told.add_itxt("XML:com.adobe.xmp", SECRET.decode())
        options = {"exif": exif(orientation), "pnginfo": told} | options
    elif image_format == "WEBP":
        options = {"exif": exif(orientation), "xmp": SECRET, "lossless": True} | options
    elif image_format == "TIFF":
        options = {"description": SECRET.decode()} | options
    picture().save(file, image_format, **options)
    return file.getvalue()


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_is_kept_has_the_same_pixels_upright_and_not_a_word_beside_them(
    image_format: str, orientation: int
) -> None:
    original = taken(image_format, orientation) + SECRET * (image_format in {"JPEG", "PNG"})
    if image_format != "BMP":
        assert SECRET in original

    kept = without_metadata(original)

    assert SECRET not in kept
    np.testing.assert_array_equal(decode(kept).image_hwc, decode(original).image_hwc)
    assert read_header(kept).orientation == read_header(original).orientation
    found = Image.open(io.BytesIO(kept)).getexif()
    assert set(found) <= {0x0112}
    assert dict(found.get_ifd(GPS)) == {}


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_picture_without_metadata_comes_out_as_it_went_in(image_format: str) -> None:
    once = without_metadata(taken(image_format))

    assert without_metadata(once) == once


def test_the_colour_profile_and_how_colours_are_coded_stay() -> None:
    cmyk, file = picture().convert("CMYK"), io.BytesIO()
    cmyk.save(file, "JPEG", icc_profile=b"profile" * 9)

    kept = without_metadata(file.getvalue())

    opened = Image.open(io.BytesIO(kept))
    assert opened.info["icc_profile"] == b"profile" * 9
    assert opened.info["adobe"] == Image.open(io.BytesIO(file.getvalue())).info["adobe"]


def test_segments_between_the_scans_of_a_progressive_jpeg_go_as_well() -> None:
    data = taken("JPEG", progressive=True)
    scan = data.rindex(b"\xff\xda")
    hidden = data[:scan] + b"\xff\xfe" + (2 + len(SECRET)).to_bytes(2, "big") + SECRET + data[scan:]

    kept = without_metadata(hidden)

    assert SECRET not in kept
    np.testing.assert_array_equal(decode(kept).image_hwc, decode(data).image_hwc)


def test_the_thumbnail_inside_jfif_goes() -> None:
    data = taken("JPEG", exif=b"")
    body = b"JFIF\0\x01\x01\x00\x00\x01\x00\x01" + bytes([3, 4]) + SECRET[:36].ljust(36)
    start = 4 + int.from_bytes(data[4:6], "big")
    thumbnailed = data[:2] + b"\xff\xe0" + (2 + len(body)).to_bytes(2, "big") + body + data[start:]

    kept = without_metadata(thumbnailed)

    assert SECRET[:30] not in kept
    np.testing.assert_array_equal(decode(kept).image_hwc, decode(data).image_hwc)


def test_a_tiff_whose_png_would_be_too_large_is_refused_before_it_is_kept() -> None:
    bits, file = np.random.default_rng(0).integers(0, 2, (256, 256)), io.BytesIO()
    Image.fromarray(bits.astype(np.bool_)).save(file, "TIFF")  # one bit a pixel, of which no PNG makes less
    tiff = file.getvalue()
    limits = ImageLimits(max_bytes=len(tiff))

    with pytest.raises(
        ImageError, match=r"a\.tif: expected at most \d+ bytes as the PNG that is kept of a TIFF"
    ):
        without_metadata(tiff, name="a.tif", limits=limits)

    assert without_metadata(tiff, limits=ImageLimits(max_bytes=8 * len(tiff))).startswith(b"\x89PNG")


def test_no_picture_is_an_error_that_names_it() -> None:
    with pytest.raises(ImageError, match=r"photos\[2\]: expected one of"):
        without_metadata(b"no picture at all", name="photos[2]")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["JPEG", "PNG", "WEBP"]), st.data())
def test_a_cut_picture_is_refused_or_cut_still(image_format: str, data: st.DataObject) -> None:
    whole = taken(image_format)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]

    try:
        kept = without_metadata(cut)
    except ImageError:
        return
    assert SECRET not in kept
