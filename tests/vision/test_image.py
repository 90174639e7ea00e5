"""One decoder: the pixels Pillow shows, upright and on white, or an `ImageError` and nothing in between."""

import re
import resource
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.pictures import (
    alpha_ramp,
    as_pillow_shows,
    difference,
    encoded,
    exif,
    hollow_png,
    png_chunk,
    rough,
    smooth,
    tiff,
)
from vision.errors import ImageError
from vision.image import (
    REDUCTIONS,
    Frame,
    ImageHeader,
    ImageLimits,
    decode,
    decode_layers,
    encode_png,
    load,
    read_bytes,
    read_header,
)

W, H = 53, 37  # odd, unequal, no multiple of a JPEG block
RGB = rough(W, H)
GREY = RGB[:, :, 0]
GREY16 = GREY.astype(np.uint16) * 257
RGB16 = RGB.astype(np.uint16) * 257
RGBA = np.dstack([RGB, alpha_ramp(W, H)])
RGBA16 = RGBA.astype(np.uint16) * 257
GREY_ALPHA = Image.merge("LA", (Image.fromarray(GREY), Image.fromarray(alpha_ramp(W, H))))
PALETTE = Image.fromarray(RGB).quantize(32)
CMYK = Image.fromarray(smooth(W, H)).convert("CMYK")
SMOOTH = smooth(W, H)


def by_opencv(suffix: str, pixels: np.ndarray) -> bytes:
    """Encoded by OpenCV, for what Pillow cannot write; `pixels` are RGB or RGBA."""
    swapped = pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]]
    return cv2.imencode(suffix, swapped)[1].tobytes()


def bmp_with_alpha() -> bytes:
    """A BITMAPV4HEADER that names bits for alpha."""
    pixels = RGBA[::-1, :, [2, 1, 0, 3]].tobytes()
    sizes = struct.pack("<IiiHHIIiiII", 108, W, H, 1, 32, 3, len(pixels), 2835, 2835, 0, 0)
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = (sizes + masks + b"BGRs").ljust(108, b"\x00")
    return struct.pack("<2sIHHI", b"BM", 14 + 108 + len(pixels), 0, 0, 14 + 108) + head + pixels


LOSSLESS: Final[dict[str, bytes]] = {
    "PNG grey": encoded(GREY, "PNG"),
    "PNG grey, one bit": encoded(Image.fromarray(GREY).convert("1"), "PNG"),
    "PNG grey, one value transparent": encoded(GREY, "PNG", transparency=int(GREY[3, 4])),
    "PNG grey, 16 bit": encoded(GREY16, "PNG"),
    "PNG grey and alpha": encoded(GREY_ALPHA, "PNG"),
    "PNG palette": encoded(PALETTE, "PNG"),
    "PNG palette, four bits": encoded(Image.fromarray(RGB).quantize(8), "PNG", bits=4),
    "PNG palette, one colour transparent": encoded(PALETTE, "PNG", transparency=3),
    "PNG palette, every colour half transparent": encoded(
        PALETTE, "PNG", transparency=bytes(range(0, 256, 8))
    ),
    "PNG RGB": encoded(RGB, "PNG"),
    "PNG RGB, one colour transparent": encoded(RGB, "PNG", transparency=tuple(map(int, RGB[3, 4]))),
    "PNG RGB, 16 bit": by_opencv(".png", RGB16),
    "PNG RGBA": encoded(RGBA, "PNG"),
    "PNG RGBA, 16 bit": by_opencv(".png", RGBA16),
    "WebP lossless": encoded(RGB, "WEBP", lossless=True),
    "WebP lossless with alpha": encoded(RGBA, "WEBP", lossless=True, exact=True),
    "BMP grey": encoded(GREY, "BMP"),
    "BMP one bit": encoded(Image.fromarray(GREY).convert("1"), "BMP"),
    "BMP palette": encoded(PALETTE, "BMP"),
    "BMP RGB": encoded(RGB, "BMP"),
    "BMP with alpha": bmp_with_alpha(),
    "TIFF grey": encoded(GREY, "TIFF"),
    "TIFF grey, white is zero": tiff(GREY, t262=[0]),
    "TIFF grey, 16 bit": encoded(GREY16, "TIFF"),
    "TIFF grey, LZW": encoded(GREY, "TIFF", compression="tiff_lzw"),
    "TIFF palette": encoded(PALETTE, "TIFF"),
    "TIFF RGB": encoded(RGB, "TIFF"),
    "TIFF RGB, deflate": encoded(RGB, "TIFF", compression="tiff_deflate"),
    "TIFF RGB, 16 bit": by_opencv(".tif", RGB16),
    "TIFF RGB in strips": tiff(RGB),
}
LOSSY: Final[dict[str, bytes]] = {
    "JPEG baseline": encoded(RGB, "JPEG", quality=90),
    "JPEG without chroma subsampling": encoded(RGB, "JPEG", quality=90, subsampling=0),
    "JPEG progressive": encoded(RGB, "JPEG", quality=90, progressive=True),
    "JPEG with restart markers": encoded(RGB, "JPEG", quality=90, restart_marker_rows=1),
    "JPEG grey": encoded(GREY, "JPEG", quality=90),
    "JPEG CMYK, inverted as Adobe does": encoded(CMYK, "JPEG", quality=90),
    "WebP lossy": encoded(RGB, "WEBP", quality=90),
    "WebP lossy with alpha": encoded(RGBA, "WEBP", quality=90),
    "TIFF of JPEG strips": encoded(RGB, "TIFF", compression="jpeg"),
    "TIFF CMYK": encoded(CMYK, "TIFF"),
}
ONE_EACH: Final[dict[str, bytes]] = {
    "JPEG": encoded(RGB, "JPEG"),
    "PNG": encoded(RGB, "PNG"),
    "WEBP": encoded(RGB, "WEBP", lossless=True),
    "BMP": encoded(RGB, "BMP"),
    "TIFF": encoded(RGB, "TIFF"),
}

of_lossless = pytest.mark.parametrize("data", LOSSLESS.values(), ids=LOSSLESS)
of_lossy = pytest.mark.parametrize("data", LOSSY.values(), ids=LOSSY)
of_each_format = pytest.mark.parametrize("data", ONE_EACH.values(), ids=ONE_EACH)


# --- agreement with Pillow


@of_lossless
def test_a_lossless_file_has_exactly_the_pixels_pillow_shows(data: bytes) -> None:
    assert difference(decode(data).image_hwc, as_pillow_shows(data)) == 0


@of_lossy
def test_a_lossy_file_has_pillows_pixels_within_two_levels(data: bytes) -> None:
    assert difference(decode(data).image_hwc, as_pillow_shows(data)) <= 2


@of_lossless
def test_a_frame_is_contiguous_uint8_rgb_and_knows_its_size_and_name(data: bytes) -> None:
    frame = decode(data, name="part-17")

    assert frame.image_hwc.dtype == np.uint8
    assert frame.image_hwc.shape == (H, W, 3)
    assert frame.image_hwc.flags.c_contiguous
    assert (frame.size_wh, frame.name) == ((W, H), "part-17")


@of_each_format
def test_the_header_tells_format_and_size(data: bytes) -> None:
    header = read_header(data)

    assert ONE_EACH[header.format] == data
    assert (header.size_wh, header.orientation) == ((W, H), 1)


def test_sixteen_bits_become_eight_by_rounding_not_by_dropping_a_byte() -> None:
    levels = np.tile(np.array([0, 128, 129, 385, 386, 65406, 65407, 65535], np.uint16), (8, 1))
    frame = decode(encoded(levels, "PNG"))

    assert frame.image_hwc[0, :, 0].tolist() == [0, 0, 1, 1, 2, 254, 255, 255]


@of_lossless
def test_layers_laid_on_white_are_the_decoded_picture(data: bytes) -> None:
    layers = decode_layers(data)
    opacity = 1 if layers.alpha_hw is None else layers.alpha_hw[:, :, None] / 255

    assert np.array_equal(np.rint(layers.image_hwc * opacity + 255 * (1 - opacity)), decode(data).image_hwc)


def test_layers_keep_the_colours_beneath_transparency() -> None:
    for kind in ("PNG RGBA", "PNG RGBA, 16 bit", "WebP lossless with alpha", "BMP with alpha"):
        layers = decode_layers(LOSSLESS[kind])
        assert np.array_equal(layers.image_hwc, RGB), kind
        assert layers.alpha_hw is not None
        assert np.array_equal(layers.alpha_hw, alpha_ramp(W, H)), kind
    assert decode_layers(LOSSLESS["PNG RGB"]).alpha_hw is None


def test_a_header_tells_colours_and_profile() -> None:
    assert read_header(LOSSY["JPEG CMYK, inverted as Adobe does"]).mode == "CMYK"
    assert read_header(encoded(RGB, "WEBP", icc_profile=b"a profile")).profile == b"a profile"
    assert read_header(LOSSLESS["PNG RGB"]).profile == b""


def test_a_grey_plane_is_encoded_as_it_is() -> None:
    assert np.array_equal(decode(encode_png(GREY)).image_hwc[:, :, 0], GREY)


def test_transparency_is_laid_on_white() -> None:
    black = np.zeros((8, 8, 4), np.uint8)
    black[:, :, 3] = np.array([0, 1, 51, 127, 128, 204, 254, 255], np.uint8)
    frame = decode(encoded(black, "PNG"))

    assert frame.image_hwc[0, :, 0].tolist() == [255, 254, 204, 128, 127, 51, 1, 0]


def test_a_png_reads_back_as_it_was_encoded() -> None:
    assert np.array_equal(decode(encode_png(RGB)).image_hwc, RGB)


# --- upright


ORIENTED: Final[dict[str, Callable[[int], bytes]]] = {
    "JPEG": lambda turn: encoded(SMOOTH, "JPEG", quality=95, exif=exif(turn)),
    "JPEG, big-endian EXIF": lambda turn: encoded(SMOOTH, "JPEG", quality=95, exif=exif(turn, order=">")),
    "PNG": lambda turn: encoded(RGB, "PNG", exif=exif(turn)),
    "PNG grey, 16 bit": lambda turn: encoded(GREY16, "PNG", exif=exif(turn)),
    "WebP": lambda turn: encoded(RGB, "WEBP", lossless=True, exif=exif(turn)),
    "WebP with alpha": lambda turn: encoded(RGBA, "WEBP", lossless=True, exact=True, exif=exif(turn)),
    "TIFF": lambda turn: tiff(RGB, t274=[turn]),
    "TIFF grey, 16 bit": lambda turn: tiff(GREY16, t274=[turn]),
}


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ORIENTED)
def test_every_exif_orientation_is_turned_upright_as_pillow_turns_it(kind: str, turn: int) -> None:
    data = ORIENTED[kind](turn)
    frame = decode(data)

    assert difference(frame.image_hwc, as_pillow_shows(data)) <= (2 if "JPEG" in kind else 0)
    assert frame.size_wh == ((W, H) if turn <= 4 else (H, W))
    assert read_header(data).size_wh == frame.size_wh


def test_orientation_six_is_turned_clockwise() -> None:
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:, :8] = 255  # white at the left of what is stored
    upright = decode(encoded(stored, "PNG", exif=exif(6))).image_hwc

    assert upright.shape == (32, 16, 3)
    assert upright[:8].min() == 255  # white at the top of what is shown
    assert upright[8:].max() == 0


@pytest.mark.parametrize(
    "block",
    [
        exif(0),
        exif(9),
        exif(6, kind=2),  # a text where a number belongs
        exif(6)[:21],  # ends inside the entry
        exif(6)[:12],
        b"II*\x00\xff\xff\xff\xff",  # a directory far outside
        b"not EXIF at all",
    ],
    ids=["zero", "nine", "text", "cut entry", "cut head", "far directory", "noise"],
)
def test_a_senseless_orientation_leaves_the_picture_as_it_is_stored(block: bytes) -> None:
    assert np.array_equal(decode(encoded(RGB, "PNG", exif=block)).image_hwc, RGB)


# --- reduced decoding


@pytest.mark.parametrize("factor", REDUCTIONS)
def test_a_jpeg_is_decoded_at_a_fraction_of_its_size(factor: int) -> None:
    picture = smooth(213, 149)
    frame = decode(encoded(picture, "JPEG", quality=95), reduce=lambda _: factor)

    width, height = -(-213 // factor), -(-149 // factor)
    smaller = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    assert frame.image_hwc.shape == (height, width, 3)
    assert frame.size_wh == (213, 149)
    assert difference(frame.image_hwc, smaller) <= 6


@pytest.mark.parametrize("factor", REDUCTIONS)
def test_a_reduced_jpeg_is_turned_upright_too(factor: int) -> None:
    plain = encoded(SMOOTH, "JPEG", quality=95)
    turned = encoded(SMOOTH, "JPEG", quality=95, exif=exif(6))

    expected = np.rot90(decode(plain, reduce=lambda _: factor).image_hwc, -1)
    frame = decode(turned, reduce=lambda _: factor)
    assert np.array_equal(frame.image_hwc, expected)
    assert frame.size_wh == (H, W)


def test_the_choice_of_a_reduction_is_made_from_the_upright_header() -> None:
    seen: list[ImageHeader] = []

    def choose(header: ImageHeader) -> int:
        seen.append(header)
        return 1

    decode(encoded(SMOOTH, "JPEG", exif=exif(8)), reduce=choose)
    assert seen == [ImageHeader(format="JPEG", size_wh=(H, W), orientation=8)]


def test_only_a_jpeg_is_reduced() -> None:
    for image_format, data in ONE_EACH.items():
        decoded_wh = decode(data, reduce=lambda _: 4).image_hwc.shape[1::-1]
        assert decoded_wh == ((14, 10) if image_format == "JPEG" else (W, H))


# --- limits, before any pixel is decoded


def jpeg_announcing(width: int, height: int) -> bytes:
    data = ONE_EACH["JPEG"]
    size_at = data.index(b"\xff\xc0") + 5
    return data[:size_at] + struct.pack(">HH", height, width) + data[size_at + 4 :]


def webp_announcing(width: int, height: int) -> bytes:
    data = encoded(RGBA, "WEBP", lossless=True, exif=exif(1))
    assert data[12:16] == b"VP8X"
    return data[:24] + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little") + data[30:]


def lossless_webp_announcing(width: int, height: int) -> bytes:
    data = ONE_EACH["WEBP"]
    assert data[12:16] == b"VP8L"
    return data[:21] + ((width - 1) | (height - 1) << 14).to_bytes(4, "little") + data[25:]


def lossy_webp_announcing(width: int, height: int) -> bytes:
    data = LOSSY["WebP lossy"]
    assert data[12:16] == b"VP8 "
    return data[:26] + struct.pack("<HH", width, height) + data[30:]


def bmp_announcing(width: int, height: int) -> bytes:
    data = ONE_EACH["BMP"]
    return data[:18] + struct.pack("<ii", width, height) + data[26:]


ANNOUNCING: Final[dict[str, Callable[[int, int], bytes]]] = {
    "JPEG": jpeg_announcing,
    "PNG": hollow_png,
    "WebP extended": webp_announcing,
    "WebP lossless": lossless_webp_announcing,
    "WebP lossy": lossy_webp_announcing,
    "BMP": bmp_announcing,
    "TIFF": lambda width, height: tiff(RGB, t256=[width], t257=[height]),
}


@contextmanager
def no_more_memory_than(bytes_more: int) -> Iterator[None]:
    """Let this process grow by `bytes_more` and no further."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the memory of a process can be bounded on Linux alone")
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + bytes_more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize(
    ("width", "height"),
    [(10_000, 6_000), (12_000, 10_000), (16_000, 12_500)],
    ids=["60 MP", "120 MP, where Pillow warns", "200 MP, where Pillow raises"],
)
@pytest.mark.parametrize("kind", ANNOUNCING)
def test_a_huge_picture_is_refused_by_its_header_without_time_or_memory(
    kind: str, width: int, height: int
) -> None:
    data = ANNOUNCING[kind](width, height)
    started = time.perf_counter()

    with no_more_memory_than(48 * 2**20), pytest.raises(ImageError) as refused:
        decode(data, name="huge.bin")

    assert str(refused.value) == (
        f"huge.bin: expected at most 50000000 pixels, found {width}x{height} = {width * height}"
    )
    assert time.perf_counter() - started < 0.5


def test_the_pixel_limit_is_ours_alone_to_raise() -> None:
    generous = ImageLimits(max_pixels=300_000_000)

    assert read_header(hollow_png(20_000, 10_000), limits=generous).size_wh == (20_000, 10_000)


def test_a_second_header_chunk_does_not_carry_a_huge_picture_past_the_limits() -> None:
    huge = hollow_png(30_000, 30_000)
    honest = ONE_EACH["PNG"]

    for data in (honest[:33] + huge[8:], huge[:33] + honest[8:]):
        with no_more_memory_than(48 * 2**20), pytest.raises(ImageError):
            decode(data)


@of_each_format
def test_each_limit_is_named_with_what_was_found(data: bytes) -> None:
    for limits, message in (
        (ImageLimits(max_bytes=len(data) - 1), f"at most {len(data) - 1} bytes, found {len(data)}"),
        (ImageLimits(max_pixels=W * H - 1), f"at most {W * H - 1} pixels, found {W}x{H} = {W * H}"),
        (ImageLimits(min_side_px=H + 1), f"sides of at least {H + 1} px, found {W}x{H}"),
    ):
        with pytest.raises(ImageError, match=re.escape(f"a.bin: expected {message}")):
            decode(data, name="a.bin", limits=limits)


@of_each_format
def test_a_picture_at_its_limits_is_taken(data: bytes) -> None:
    limits = ImageLimits(max_bytes=len(data), max_pixels=W * H, min_side_px=H)

    assert decode(data, limits=limits).size_wh == (W, H)


@pytest.mark.parametrize("image_format", ONE_EACH)
def test_a_picture_of_one_pixel_is_refused(image_format: str) -> None:
    with pytest.raises(ImageError, match="expected sides of at least 8 px, found 1x1"):
        decode(encoded(rough(1, 1), image_format))


# --- what is no picture, or not one


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\xff\xd8",
        b"BM",
        b"II*\x00",
        b"no picture but words",
        b"\xff\xd8\xff" + b"words after a JPEG's first bytes " * 9,
        b"\x89PNG\r\n\x1a\n" + b"words after a PNG's first bytes " * 9,
        b"RIFF\x40\x00\x00\x00WAVEfmt " + bytes(60),
        b"RIFF\x40\x00\x00\x00WEBPVP8X",
        b"BM" + b"words after a BMP's first bytes " * 9,
        b"II*\x00" + b"words after a TIFF's first bytes " * 9,
        bytes(1000),
    ],
)
def test_what_is_no_picture_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"^notes\.jpg: "):
        decode(data, name="notes.jpg")


@pytest.mark.parametrize("image_format", ["GIF", "PPM", "JPEG2000", "ICO", "TGA"])
def test_a_format_outside_the_list_is_refused(image_format: str) -> None:
    with pytest.raises(ImageError, match="expected one of JPEG, PNG, WEBP, BMP, TIFF, found"):
        decode(encoded(RGB, image_format))


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_a_file_of_several_pictures_is_refused(image_format: str) -> None:
    second = Image.fromarray(RGB[::-1].copy())

    with pytest.raises(ImageError, match="found"):
        decode(encoded(RGB, image_format, save_all=True, append_images=[second]))


def test_of_a_jpeg_with_further_pictures_behind_it_the_first_is_taken() -> None:
    several = encoded(RGB, "MPO", save_all=True, append_images=[Image.fromarray(RGB[::-1].copy())])

    assert difference(decode(several).image_hwc, decode(encoded(RGB, "JPEG")).image_hwc) == 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (encoded(RGBA, "TIFF"), "without alpha, found photometric 2, 4 channels"),
        (encoded(GREY_ALPHA, "TIFF"), "without alpha, found photometric 1, 2 channels"),
        (tiff(GREY16, t262=[0]), "interleaved, as grey or RGB; found planar 1, photometric 0"),
        (tiff(RGB16, t284=[2]), "interleaved, as grey or RGB; found planar 2, photometric 2"),
        (tiff(GREY16, t258=[12]), "1, 4, 8 or 16 bits a channel, found 12"),
        (encoded(Image.fromarray(GREY).convert("F"), "TIFF"), "bits a channel, found 32"),
    ],
    ids=["RGBA", "grey and alpha", "16 bit, white is zero", "16 bit in planes", "12 bit", "float"],
)
def test_a_tiff_whose_pixels_would_come_out_other_than_meant_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        decode(data)


# --- whole or not at all


def with_thumbnail() -> bytes:
    """A JPEG that holds a whole smaller JPEG, its end-of-image marker included, in its EXIF block."""
    thumbnail = encoded(smooth(16, 16), "JPEG")
    return encoded(SMOOTH, "JPEG", exif=exif(1) + thumbnail)


def png_of_many_chunks() -> bytes:
    """Each chunk whole and its checksum right, so that only the missing ones tell."""
    head = struct.pack(">IIBBBBB", W, H, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\x00" + row.tobytes() for row in RGB))
    parts = [png_chunk(b"IDAT", rows[start : start + 400]) for start in range(0, len(rows), 400)]
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", png_chunk(b"IHDR", head), *parts, png_chunk(b"IEND", b"")],
    )


WHOLE: Final[dict[str, bytes]] = {
    "JPEG": encoded(SMOOTH, "JPEG"),
    "JPEG progressive": encoded(SMOOTH, "JPEG", progressive=True),
    "JPEG with restart markers": encoded(SMOOTH, "JPEG", restart_marker_rows=1),
    "JPEG with a thumbnail": with_thumbnail(),
    "JPEG with bytes after its end": encoded(SMOOTH, "JPEG") + b"\x00" * 40,
    "PNG": encoded(SMOOTH, "PNG"),
    "PNG of many chunks": png_of_many_chunks(),
    "WebP lossless": encoded(SMOOTH, "WEBP", lossless=True),
    "WebP lossy": encoded(RGB, "WEBP", quality=50),
    "WebP with alpha": encoded(np.dstack([SMOOTH, alpha_ramp(W, H)]), "WEBP"),
    "BMP": encoded(SMOOTH[:12, :16].copy(), "BMP"),
    "BMP that does not tell its length": encoded(SMOOTH[:12, :16].copy(), "BMP")[:2]
    + bytes(4)
    + encoded(SMOOTH[:12, :16].copy(), "BMP")[6:],
    "TIFF": encoded(SMOOTH[:12, :16].copy(), "TIFF"),
    "TIFF with its directory in front": tiff(SMOOTH[:12, :16]),
    "TIFF of 16 bits": tiff(SMOOTH[:12, :16].astype(np.uint16) * 257),
    "TIFF, deflate": encoded(SMOOTH, "TIFF", compression="tiff_deflate"),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_cut_anywhere_is_refused_or_whole_never_half_a_picture(kind: str) -> None:
    data = WHOLE[kind]
    whole = decode(data).image_hwc

    for length in range(len(data)):
        try:
            cut = decode(data[:length]).image_hwc
        except ImageError:
            continue
        assert np.array_equal(cut, whole), f"{length} of {len(data)} bytes gave another picture"


@pytest.mark.parametrize("factor", REDUCTIONS)
def test_a_cut_jpeg_is_refused_at_every_reduction(factor: int) -> None:
    data = ONE_EACH["JPEG"]

    with pytest.raises(
        ImageError, match="truncated or damaged: the scan ends without an end-of-image marker"
    ):
        decode(data[: len(data) * 2 // 3], reduce=lambda _: factor)


def test_a_png_without_its_last_rows_is_refused_though_every_chunk_is_whole() -> None:
    data = png_of_many_chunks()
    last = data.rindex(b"IDAT") - 4

    with pytest.raises(ImageError, match="cannot be decoded as PNG"):
        decode(data[:last] + png_chunk(b"IEND", b""))


def test_a_png_with_any_bit_flipped_is_refused() -> None:
    data = encoded(SMOOTH[:12, :16].copy(), "PNG")

    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        with pytest.raises(ImageError):
            decode(bytes(damaged))


@settings(max_examples=300, deadline=None)
@given(
    start=st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"BM", b"II*\x00", b"MM\x00*"]
    ),
    rest=st.binary(max_size=400),
)
def test_random_bytes_are_refused_as_no_picture(start: bytes, rest: bytes) -> None:
    with pytest.raises(ImageError):
        decode(start + rest)


@settings(max_examples=600, deadline=None)
@given(
    data=st.sampled_from([*LOSSLESS.values(), *LOSSY.values(), *WHOLE.values()]),
    changes=st.lists(
        st.tuples(st.integers(0, 300), st.binary(min_size=1, max_size=4)), min_size=1, max_size=6
    ),
)
def test_a_damaged_file_gives_a_picture_or_an_image_error_and_nothing_else(
    data: bytes, changes: list[tuple[int, bytes]]
) -> None:
    damaged = bytearray(data)
    for position, found in changes:
        damaged[position : position + len(found)] = found
    try:
        frame = decode(bytes(damaged))
    except ImageError:
        return
    assert isinstance(frame, Frame)
    assert frame.image_hwc.shape == (*frame.size_wh[::-1], 3)


# --- files


def test_a_file_is_loaded_under_its_path(tmp_path: Path) -> None:
    path = tmp_path / "part.png"
    path.write_bytes(ONE_EACH["PNG"])

    frame = load(path)
    assert np.array_equal(frame.image_hwc, RGB)
    assert frame.name == str(path)


def test_a_file_that_is_not_there_or_no_file_is_an_image_error(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.png", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ImageError, match=f"{re.escape(str(path))}: cannot be read: {reason}"):
            load(path)
    with pytest.raises(ImageError, match="cannot be read: embedded null byte"):
        load(Path("a\x00b.png"))


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.png"
    with path.open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(ImageError, match="expected at most 16777216 bytes, found 1099511627776"):
        read_bytes(path)
