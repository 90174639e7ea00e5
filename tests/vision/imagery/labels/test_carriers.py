"""Labels in files: they come back from every format, from every carrier, and what is not one is told from what is."""

import io
import json
import shutil
import subprocess
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.pictures import difference, encoded, png_chunk, smooth
from vision.errors import ImageError, ImageryError
from vision.image import decode
from vision.imagery.labels.aigc import Aigc
from vision.imagery.labels.carriers import FORMATS, encode, read_labels, read_metadata
from vision.imagery.labels.corner import Language, draw
from vision.imagery.labels.marks import Carrier, Unreadable
from vision.imagery.labels.policy import Labels
from vision.imagery.labels.source import SourceType

PICTURE = smooth(320, 280)
AIGC = Aigc.of("shop", "number-1")
SYNTHETIC = Labels(source=SourceType.COMPOSITE_TRAINED, aigc=AIGC)
BESIDES = {"JPEG": Carrier.EXIF_COMMENT, "WEBP": Carrier.EXIF_COMMENT, "PNG": Carrier.PNG_TEXT, "TIFF": None}


@pytest.mark.parametrize("image_format", FORMATS)
def test_labels_come_back_from_every_format_and_carrier(image_format: str) -> None:
    found = read_metadata(encode(PICTURE, image_format, SYNTHETIC))
    assert found.lacking(SYNTHETIC) == ()
    assert (found.source, found.aigc, found.explicit, found.problems) == (SYNTHETIC.source, AIGC, None, ())
    carriers = [Carrier.XMP, Carrier.XMP] + ([BESIDES[image_format]] if BESIDES[image_format] else [])
    assert [mark.carrier for mark in found.marks] == carriers
    assert found.synthetic


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("languages", [(Language.CHINESE,), (Language.CHINESE, Language.ENGLISH)])
def test_the_drawn_label_comes_back_with_the_others(
    image_format: str, languages: tuple[Language, ...]
) -> None:
    wanted = Labels(source=SourceType.TRAINED, aigc=AIGC, explicit=languages)
    drawn, label = draw(PICTURE, languages, np.zeros(PICTURE.shape[:2], np.bool_))
    found = read_labels(encode(drawn, image_format, wanted))
    assert found.lacking(wanted) == ()
    assert found.explicit is not None
    assert found.explicit.place == label.place
    assert found.value()["explicit"] == [str(language) for language in languages]


@pytest.mark.parametrize("image_format", FORMATS)
def test_an_image_without_synthetic_content_carries_its_source_and_nothing_else(image_format: str) -> None:
    found = read_labels(encode(PICTURE, image_format, Labels(source=SourceType.COMPOSITE)))
    assert [mark.said for mark in found.marks] == [SourceType.COMPOSITE]
    assert not found.synthetic


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(FORMATS),
    st.sampled_from(SourceType),
    st.text(
        "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\'), min_size=1, max_size=1024
    ),
)
def test_any_label_survives_any_format(image_format: str, source: SourceType, name: str) -> None:
    wanted = Labels(source=source, aigc=Aigc.of(name, name[::-1]))
    assert read_metadata(encode(PICTURE, image_format, wanted)).lacking(wanted) == ()


@pytest.mark.parametrize(("image_format", "levels"), [("JPEG", 4), ("PNG", 0), ("WEBP", 0), ("TIFF", 0)])
def test_pixels_are_kept(image_format: str, levels: int) -> None:
    data = encode(PICTURE, image_format, SYNTHETIC)
    assert difference(decode(data).image_hwc, PICTURE) <= levels


def test_a_jpeg_keeps_its_colours_at_full_resolution() -> None:
    with Image.open(io.BytesIO(encode(PICTURE, "JPEG", SYNTHETIC))) as picture:
        assert [layer[1:3] for layer in picture.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]  # not of all formats


@pytest.mark.parametrize("image_format", FORMATS)
def test_the_same_image_has_the_same_bytes(image_format: str) -> None:
    assert encode(PICTURE, image_format, SYNTHETIC) == encode(PICTURE.copy(), image_format, SYNTHETIC)


def test_a_format_that_holds_no_labels_is_refused() -> None:
    with pytest.raises(ImageryError, match="expected one of JPEG, PNG, WEBP, TIFF; found 'BMP'"):
        encode(PICTURE, "BMP", SYNTHETIC)


def test_a_picture_without_metadata_has_no_labels() -> None:
    for image_format in ("JPEG", "PNG", "WEBP", "TIFF", "BMP"):
        assert read_labels(encoded(PICTURE, image_format)).marks == ()


def png(key: str, value: str) -> bytes:
    info = PngInfo()
    info.add_text(key, value)
    return encoded(PICTURE, "PNG", pnginfo=info)


def jpeg(comment: bytes | str) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = comment
    return encoded(PICTURE, "JPEG", exif=exif)


@pytest.mark.parametrize(
    "data",
    [
        png("AIGC", AIGC.to_json()),
        png("AIGC", AIGC.to_json(wrapped=True)),
        jpeg(AIGC.to_json(wrapped=True)),  # without the name of its encoding
        jpeg(b"ASCII\0\0\0" + AIGC.to_json().encode()),
        jpeg(b"UNICODE\0" + AIGC.to_json(wrapped=True).encode("utf-16")),
        jpeg(b"UNICODE\0" + AIGC.to_json(wrapped=True).encode("utf-16-be")),
        jpeg(bytes(8) + AIGC.to_json(wrapped=True).encode() + bytes(4)),
    ],
)
def test_labels_of_others_are_read(data: bytes) -> None:
    assert read_metadata(data).aigc == AIGC


@pytest.mark.parametrize(
    "data", [jpeg(b"ASCII\0\0\0holiday"), jpeg("my cat"), png("Comment", "AIGC"), png("Software", "x")]
)
def test_what_people_write_is_no_label(data: bytes) -> None:
    assert read_labels(data).marks == ()


@pytest.mark.parametrize(
    "text", ["{", "true", "{}", json.dumps({"Label": 1}), AIGC.to_json()[:-2], "[" * 100_000]
)
def test_a_damaged_label_is_reported_and_still_counts_as_synthetic(text: str) -> None:
    found = read_metadata(png("AIGC", text))
    assert isinstance(found.marks[0].said, Unreadable)
    assert found.aigc is None
    assert found.synthetic
    assert found.problems[0].startswith("png text: cannot be read")


def with_xmp(packet: bytes) -> bytes:
    return encoded(PICTURE, "JPEG", xmp=packet)


def test_a_packet_that_is_no_xml_is_a_problem_and_a_label_only_where_it_speaks_of_one() -> None:
    assert read_metadata(with_xmp(b"<AIGC")).synthetic
    assert not read_metadata(with_xmp(b"<Holiday")).synthetic
    assert read_metadata(with_xmp(b"<Holiday")).problems


def test_labels_that_contradict_each_other_are_a_problem() -> None:
    wanted = encode(PICTURE, "PNG", SYNTHETIC)
    other = PngInfo()
    with Image.open(io.BytesIO(wanted)) as picture:
        other.add_itxt("XML:com.adobe.xmp", str(picture.info["XML:com.adobe.xmp"]))
    other.add_text("AIGC", Aigc.of("other", "number-2").to_json())
    found = read_metadata(encoded(PICTURE, "PNG", pnginfo=other))
    assert "contradict each other" in found.problems[0]


def test_a_label_behind_the_pixels_of_a_png_is_found() -> None:
    data = encoded(PICTURE, "PNG")
    behind = data[:-12] + png_chunk(b"tEXt", b"AIGC\0" + AIGC.to_json().encode()) + data[-12:]
    assert read_metadata(behind).aigc == AIGC


def test_missing_labels_are_named() -> None:
    wanted = Labels(source=SourceType.TRAINED, aigc=AIGC, explicit=(Language.CHINESE,))
    missing = read_labels(encode(PICTURE, "JPEG", Labels(source=SourceType.COMPOSITE))).lacking(wanted)
    assert missing[0] == "digital source type: expected trainedAlgorithmicMedia, found composite"
    assert missing[1].startswith('AIGC: expected {"Label":"1"')
    assert missing[2] == "explicit label: expected zh, found none"


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(FORMATS), st.data())
def test_a_damaged_file_is_read_or_refused(image_format: str, data: st.DataObject) -> None:
    whole = bytearray(encode(PICTURE[:64, :64], image_format, SYNTHETIC))
    at = data.draw(st.integers(0, min(len(whole) - 1, 2000)))
    whole[at] ^= data.draw(st.integers(1, 255))
    with suppress(ImageError):
        read_metadata(bytes(whole))


@pytest.mark.parametrize("image_format", FORMATS)
def test_exiftool_reads_what_was_written(image_format: str, tmp_path: Any) -> None:
    tool = shutil.which("exiftool")
    if tool is None:
        pytest.skip("needs Debian's libimage-exiftool-perl")
    path = tmp_path / "image"
    path.write_bytes(encode(PICTURE, image_format, SYNTHETIC))
    said = json.loads(subprocess.run([tool, "-j", "-n", path], capture_output=True, check=True).stdout)[0]
    assert said["DigitalSourceType"] == SYNTHETIC.source.uri
    assert Aigc.from_json(said["Aigc"]) == AIGC
