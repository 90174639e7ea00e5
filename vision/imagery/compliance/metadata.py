"""What a file carries beside its pixels, kept whole when the file is written anew.

Takes a file's bytes and its format. What the labels among it say is `vision.imagery.labels`' to read; none is written here that was not
there, and none taken away. C2PA's signed manifest alone cannot be kept, since it speaks of the bytes.
"""

import io
import struct
from dataclasses import dataclass
from typing import Final

from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from vision.errors import ImageError
from vision.image import ImageLimits, Pixels
from vision.imagery.labels import carriers
from vision.imagery.labels.aigc import KEY
from vision.imagery.labels.marks import Found, Said

# wider than any rule, so that what is too large is measured rather than refused; and within what Pillow opens without a warning
LIMITS: Final = ImageLimits(max_bytes=128 * 1024 * 1024, max_pixels=85_000_000)

_XMP_KEY: Final = "XML:com.adobe.xmp"  # of PNG's iTXt (XMP specification, part 3)
_TIFF_XMP: Final = 700
_EXIF_IFD, _USER_COMMENT, _ORIENTATION = 0x8769, 0x9286, 0x0112
_ASCII: Final = b"ASCII\0\0\0"  # the first eight bytes of a UserComment (EXIF 2.32, §4.6.5)
_SIGNED: Final = (
    b"jumdc2pa\x00\x11\x00\x10"  # the description box of a C2PA manifest store (C2PA 2.x, §11.1.4.2)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """All of a file that is neither pixels nor a signature.

    Attributes:
        mode: of its colours, as Pillow names it.
        exif: with or without the prefix `Exif`, as the file has it.
        text: PNG's text chunks but XMP.
        comment: JPEG's.
        photoshop: JPEG's APP13 segments, which hold the older IPTC fields.
    """

    mode: str
    labels: Found
    icc: bytes | None = None
    xmp: bytes | None = None
    exif: bytes | None = None
    text: tuple[tuple[str, str], ...] = ()
    comment: bytes | None = None
    photoshop: tuple[bytes, ...] = ()

    def said(self) -> frozenset[Said]:
        """Everything that labels say, in whichever carrier."""
        return frozenset(mark.said for mark in self.labels.marks)


def signed(data: bytes) -> bool:
    """Whether a C2PA manifest is in the file, valid or not."""
    return _SIGNED in data


def read_metadata(data: bytes, image_format: str, *, name: str) -> Metadata:
    """Everything a file carries beside pixels.

    Raises:
        ImageError: it cannot be told apart.
    """
    try:
        with Image.open(io.BytesIO(data), formats=[image_format]) as picture:
            info = picture.info
            text = (
                dict(picture.text) if isinstance(picture, PngImageFile) else {}
            )  # also what follows the pixels
            xmp = text.pop(_XMP_KEY, None) or info.get("xmp")
            segments = getattr(picture, "applist", ())
            return Metadata(
                mode=picture.mode,
                labels=carriers.read_metadata(data, name=name, limits=LIMITS),
                icc=info.get("icc_profile") or None,
                xmp=xmp.encode() if isinstance(xmp, str) else xmp,
                exif=info.get("exif") or None,
                text=tuple((str(key), str(value)) for key, value in text.items()),
                comment=info.get("comment") if image_format == "JPEG" else None,
                photoshop=tuple(body for marker, body in segments if marker == "APP13"),
            )
    except (OSError, ValueError, SyntaxError, TypeError, LookupError, struct.error) as error:
        raise ImageError(f"{name}: the metadata of the {image_format} cannot be read: {error}") from error


def encode(image_hwc: Pixels, image_format: str, carried: Metadata, *, quality: int) -> bytes:
    """A file of these pixels, uint8 sRGB (H, W, 3), that carries what another one carried.

    JPEG is written at full colour resolution (4:4:4), the others without loss. The orientation is reset: the pixels stand upright.
    """
    picture, file = Image.fromarray(image_hwc), io.BytesIO()
    exif = _exif(carried, image_format)
    extras = {"exif": exif} if exif else {}
    if carried.xmp and image_format in {"JPEG", "WEBP"}:
        extras["xmp"] = carried.xmp
    if image_format == "JPEG":
        app13 = b"".join(b"\xff\xed" + struct.pack(">H", len(body) + 2) + body for body in carried.photoshop)
        if carried.comment:
            extras["comment"] = carried.comment
        picture.save(file, "JPEG", quality=quality, subsampling="4:4:4", extra=app13, **extras)
    elif image_format == "WEBP":
        picture.save(file, "WEBP", lossless=True, exact=True, **extras)
    elif image_format == "PNG":
        picture.save(file, "PNG", pnginfo=_png_text(carried), **extras)
    elif image_format == "TIFF":
        tags = {_TIFF_XMP: carried.xmp} if carried.xmp else {}
        picture.save(file, "TIFF", compression="tiff_deflate", tiffinfo=tags)
    else:
        picture.save(file, image_format)
    return file.getvalue()


def _png_text(carried: Metadata) -> PngInfo:
    info = PngInfo()
    if carried.xmp:
        info.add_itxt(_XMP_KEY, carried.xmp.decode(errors="surrogateescape"))
    texts = dict(carried.text)
    if carried.labels.aigc is not None:
        texts.setdefault(KEY, carried.labels.aigc.to_json())
    for key, value in texts.items():
        try:
            info.add_text(key, value)
        except UnicodeEncodeError:  # beyond Latin-1
            info.add_itxt(key, value)
    return info


def _exif(carried: Metadata, image_format: str) -> bytes:
    """The EXIF block as it was, upright; and where the label stands in a text that this format has not, with the label."""
    block = _upright(carried.exif) if carried.exif else b""
    if carried.labels.aigc is None or image_format == "PNG" or KEY not in dict(carried.text):
        return block
    exif = Image.Exif()
    exif.load(block)
    inner = exif.get_ifd(_EXIF_IFD)
    inner[_USER_COMMENT] = _ASCII + carried.labels.aigc.to_json(wrapped=True).encode()
    exif[_EXIF_IFD] = inner
    return exif.tobytes()


def _upright(exif: bytes) -> bytes:
    """The same block with the orientation 1 (EXIF 2.32, tag 0x0112 of the first directory)."""
    start = 6 if exif.startswith(b"Exif\0\0") else 0
    order = {b"II": "<", b"MM": ">"}.get(exif[start : start + 2])
    if order is None:
        return exif
    block = bytearray(exif)
    try:
        (directory,) = struct.unpack_from(f"{order}I", block, start + 4)
        (entries,) = struct.unpack_from(f"{order}H", block, start + directory)
        for number in range(entries):
            entry = start + directory + 2 + 12 * number
            if struct.unpack_from(f"{order}H", block, entry) == (_ORIENTATION,):
                struct.pack_into(f"{order}H", block, entry + 8, 1)
    except struct.error:  # the block ends early: viewers ignore it
        return exif
    return bytes(block)
