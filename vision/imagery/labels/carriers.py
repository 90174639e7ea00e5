"""Labels in the files of pictures: encoded with them, and read back from every carrier that others write as well.

| format | digital source type, `AIGC` | `AIGC` besides |
|---|---|---|
| JPEG | XMP in APP1 | EXIF UserComment |
| PNG | XMP in iTXt | tEXt `AIGC` |
| WebP | XMP chunk | EXIF UserComment |
| TIFF | XMP in tag 700 | - |

Pillow alone writes and reads metadata. PNG, WebP and TIFF are lossless; JPEG keeps its colours at full resolution (4:4:4).
"""

import io
import struct
from collections.abc import Iterator
from typing import Final

from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile, PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from vision.errors import ImageError, ImageryError
from vision.image import ImageLimits, Pixels, decode, read_header
from vision.imagery.labels import xmp
from vision.imagery.labels.aigc import KEY, Aigc
from vision.imagery.labels.corner import find
from vision.imagery.labels.marks import Carrier, Found, Mark, Said, Unreadable
from vision.imagery.labels.policy import Labels
from vision.imagery.labels.source import SourceType

FORMATS: Final = ("JPEG", "PNG", "WEBP", "TIFF")
QUALITY: Final = 95  # of JPEG
_PNG_XMP: Final = "XML:com.adobe.xmp"
_EXIF_IFD, _USER_COMMENT, _COLOUR_SPACE = 0x8769, 0x9286, 0xA001
_ASCII, _UNICODE = b"ASCII\0\0\0", b"UNICODE\0"  # EXIF 2.32, §4.6.5: a UserComment's first eight bytes
_SRGB: Final = 1
_TIFF_XMP, _UNDEFINED = 700, 7


def encode(image_hwc: Pixels, image_format: str, labels: Labels, *, quality: int = QUALITY) -> bytes:
    """A file with its labels; the same pixels and labels give the same bytes with the same Pillow.

    Args:
        image_hwc: uint8 (H, W, 3) sRGB, with the explicit label drawn where one is wanted.
        quality: of JPEG, 1 to 100.

    Raises:
        ImageryError: the format is none of `FORMATS`.
    """
    if image_format not in FORMATS:
        raise ImageryError(f"format: expected one of {', '.join(FORMATS)}; found {image_format!r}")
    picture, file = Image.fromarray(image_hwc), io.BytesIO()
    packet = xmp.packet(labels.source, labels.aigc)
    if image_format == "JPEG":
        picture.save(file, "JPEG", quality=quality, subsampling="4:4:4", xmp=packet, exif=_exif(labels.aigc))
    elif image_format == "WEBP":
        picture.save(file, "WEBP", lossless=True, exact=True, xmp=packet, exif=_exif(labels.aigc))
    elif image_format == "PNG":
        picture.save(file, "PNG", pnginfo=_png_text(packet, labels.aigc))
    else:
        directory = ImageFileDirectory_v2()
        directory.tagtype[_TIFF_XMP] = _UNDEFINED
        directory[_TIFF_XMP] = packet
        picture.save(file, "TIFF", compression="tiff_adobe_deflate", tiffinfo=directory)
    return file.getvalue()


def _exif(aigc: Aigc | None) -> Image.Exif:
    exif = Image.Exif()
    inner = exif.get_ifd(_EXIF_IFD)
    inner[_COLOUR_SPACE] = _SRGB
    if aigc is not None:
        inner[_USER_COMMENT] = _ASCII + aigc.to_json(wrapped=True).encode("ascii")
    exif[_EXIF_IFD] = inner
    return exif


def _png_text(packet: bytes, aigc: Aigc | None) -> PngInfo:
    text = PngInfo()
    text.add(b"sRGB", b"\0")  # PNG, third edition, §11.3.2.5: perceptual
    text.add_itxt(_PNG_XMP, packet.decode())
    if aigc is not None:
        text.add_text(KEY, aigc.to_json())
    return text


def read_labels(data: bytes, *, name: str = "image", limits: ImageLimits | None = None) -> Found:
    """All labels of a file, those in its metadata and the one drawn into it.

    Raises:
        ImageError: as `vision.image.decode`.
    """
    frame = decode(data, name=name, limits=limits)
    explicit = find(frame.image_hwc)
    drawn = [Mark(carrier=Carrier.PICTURE, said=explicit)] if explicit else []
    return Found(marks=(*read_metadata(data, name=name, limits=limits).marks, *drawn))


def read_metadata(data: bytes, *, name: str = "image", limits: ImageLimits | None = None) -> Found:
    """The labels in a file's metadata alone, without looking for a drawn one.

    Raises:
        ImageError: as `vision.image.read_header`, or its metadata cannot be told apart.
    """
    header = read_header(data, name=name, limits=limits)
    if header.format not in FORMATS:
        return Found(marks=())
    try:
        with Image.open(io.BytesIO(data), formats=[header.format]) as picture:
            return Found(marks=tuple(_marks(picture)))
    except (OSError, ValueError, SyntaxError, TypeError, LookupError) as error:
        raise ImageError(f"{name}: the metadata of the {header.format} cannot be read: {error}") from error


def _marks(picture: ImageFile) -> Iterator[Mark]:
    text = (
        picture.text if isinstance(picture, PngImageFile) else {}
    )  # reads what stands behind the pixels, too
    packet = text.get(_PNG_XMP, picture.info.get("xmp", b""))
    if packet:
        yield from _xmp_marks(packet.encode() if isinstance(packet, str) else bytes(packet))
    if KEY in text:
        yield Mark(carrier=Carrier.PNG_TEXT, said=_aigc(str(text[KEY])))
    comment = _text(_user_comment(picture))
    if f'"{KEY}"' in comment or '"ContentProducer"' in comment:  # people's own comments are no labels
        yield Mark(carrier=Carrier.EXIF_COMMENT, said=_aigc(comment))


def _xmp_marks(packet: bytes) -> Iterator[Mark]:
    try:
        found = xmp.properties(packet)
    except ValueError as error:
        synthetic = b"AIGC" in packet or b"lgorithmicMedia" in packet
        yield Mark(carrier=Carrier.XMP, said=Unreadable(why=str(error), synthetic=synthetic))
        return
    for name, value in found:
        yield Mark(carrier=Carrier.XMP, said=_aigc(value) if name == xmp.AIGC else _source(value))


def _aigc(text: str) -> Said:
    try:
        return Aigc.from_json(text)
    except (ValueError, RecursionError) as error:
        return Unreadable(why=f"expected an AIGC label: {error}", synthetic=True)


def _source(uri: str) -> Said:
    try:
        return SourceType.from_uri(uri)
    except ValueError:
        why = f"expected a term of the IPTC's digital source types, found {uri[:200]!r}"
        return Unreadable(why=why, synthetic=False)


def _user_comment(picture: ImageFile) -> object:
    try:
        return picture.getexif().get_ifd(_EXIF_IFD).get(_USER_COMMENT)
    except (SyntaxError, struct.error, Warning):  # a damaged block holds no comment
        return None


def _text(raw: object) -> str:
    """A UserComment's text; others write it without the eight bytes that name its encoding, and as a string."""
    if isinstance(raw, str):
        return raw.strip("\0 ")
    if not isinstance(raw, bytes):
        return ""
    if raw.startswith(_UNICODE):
        return raw[8:].decode(
            "utf-16" if raw[8:10] in {b"\xff\xfe", b"\xfe\xff"} else "utf-16-be", errors="replace"
        )
    return raw.removeprefix(_ASCII).decode(errors="replace").strip("\0 ")
