"""What a file carries beside its pixels is read, and survives whatever `fix` does to the file."""

import io
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.pictures import encoded, exif, smooth
from tests.vision.imagery.compliance.mutations import AIGC, packet
from vision.errors import ImageError
from vision.image import decode, read_header
from vision.imagery.compliance.metadata import encode, read_metadata, signed

PIXELS = smooth(40, 30)
COMMENTED = '{"AIGC":' + AIGC + "}"


def comment_block(text: str) -> bytes:
    block = Image.Exif()
    inner = block.get_ifd(0x8769)
    inner[0x9286] = b"ASCII\0\0\0" + text.encode()
    block[0x8769] = inner
    block[0x0112] = 6
    return block.tobytes()


def png_info(**texts: str) -> PngInfo:
    info = PngInfo()
    for key, value in texts.items():
        info.add_text(key, value)
    info.add_itxt("XML:com.adobe.xmp", packet("trainedAlgorithmicMedia").decode())
    return info


def files() -> Iterator[tuple[str, bytes]]:
    xmp = packet("trainedAlgorithmicMedia")
    yield "JPEG", encoded(PIXELS, "JPEG", xmp=xmp, exif=comment_block(COMMENTED))
    yield "WEBP", encoded(PIXELS, "WEBP", lossless=True, xmp=xmp, exif=comment_block(COMMENTED))
    yield "PNG", encoded(PIXELS, "PNG", pnginfo=png_info(AIGC=AIGC, Author="a designer"))


@pytest.mark.parametrize("target", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("source", "data"), files(), ids=lambda one: one if isinstance(one, str) else "")
def test_labels_survive_from_every_format_to_every_other(source: str, data: bytes, target: str) -> None:
    before = read_metadata(data, source, name="it")
    assert before.labels.source == "trainedAlgorithmicMedia"
    assert before.labels.aigc is not None
    after = read_metadata(encode(PIXELS, target, before, quality=95), target, name="it")
    assert after.said() >= before.said()
    assert b"image/jpeg" in (after.xmp or b""), "what else the packet held"


def test_text_of_a_png_is_kept_in_a_png() -> None:
    data = encoded(PIXELS, "PNG", pnginfo=png_info(AIGC=AIGC, Author="一位设计师"))
    carried = read_metadata(data, "PNG", name="it")
    again = read_metadata(encode(PIXELS, "PNG", carried, quality=95), "PNG", name="it")
    assert dict(again.text) == dict(carried.text)


def test_a_picture_that_was_turned_is_not_turned_twice() -> None:
    data = encoded(PIXELS, "JPEG", quality=95, exif=exif(6))
    upright = decode(data).image_hwc
    again = encode(upright, "JPEG", read_metadata(data, "JPEG", name="it"), quality=95)
    header = read_header(again)
    assert (header.orientation, header.size_wh) == (1, (30, 40))


@pytest.mark.parametrize(
    "block", [b"Exif\0\0MM", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0junk that is none"]
)
def test_a_damaged_exif_block_is_carried_as_it_is(block: bytes) -> None:
    data = encoded(PIXELS, "JPEG", exif=block)
    carried = read_metadata(data, "JPEG", name="it")
    assert read_metadata(encode(PIXELS, "JPEG", carried, quality=95), "JPEG", name="it").exif == block


def test_the_older_fields_and_the_comment_of_a_jpeg_are_kept() -> None:
    body = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x06\x1c\x02\x50\0\x01A"
    segment = b"\xff\xed" + struct.pack(">H", len(body) + 2) + body
    data = encoded(PIXELS, "JPEG", extra=segment, comment=b"by hand")
    again = encode(PIXELS, "JPEG", read_metadata(data, "JPEG", name="it"), quality=95)
    kept = read_metadata(again, "JPEG", name="it")
    assert (kept.photoshop, kept.comment) == ((body,), b"by hand")


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_the_same_pixels_give_the_same_bytes_and_all_but_jpeg_keep_them(image_format: str) -> None:
    carried = read_metadata(encoded(PIXELS, "PNG"), "PNG", name="it")
    data = encode(PIXELS, image_format, carried, quality=95)
    assert data == encode(PIXELS, image_format, carried, quality=95)
    away = np.abs(decode(data).image_hwc.astype(int) - PIXELS).max()
    assert away <= (8 if image_format == "JPEG" else 0)


def test_jpeg_is_written_with_colours_at_full_resolution() -> None:
    carried = read_metadata(encoded(PIXELS, "PNG"), "PNG", name="it")
    with Image.open(io.BytesIO(encode(PIXELS, "JPEG", carried, quality=95))) as picture:
        layers: Any = picture.layer  # type: ignore[attr-defined]
    assert {layer[1:3] for layer in layers} == {(1, 1)}


def test_a_signed_file_is_known_by_its_manifest() -> None:
    data = encoded(PIXELS, "PNG")
    assert not signed(data)
    assert signed(data + b"\0\0\0\x20jumdc2pa\x00\x11\x00\x10\x80\0\0\xaa\0\x38\x9b\x71")


def test_what_is_no_picture_is_refused_by_name() -> None:
    with pytest.raises(ImageError, match=r"a\.png: the metadata of the PNG cannot be read"):
        read_metadata(b"\x89PNG\r\n\x1a\n" + bytes(30), "PNG", name="a.png")
