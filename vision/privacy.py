"""A picture without what it says of its taker: EXIF with its place and camera, XMP, IPTC, comments, thumbnails, what trails behind its end.

Takes an encoded picture, gives one that decodes to the same pixels, upright as before, bit for bit. Of what stands beside the pixels only
colour profiles and the orientation are left; JPEG, PNG and WebP are not encoded again, BMP and TIFF become PNG.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Final

from vision.errors import ImageError
from vision.image import ImageLimits, decode, encode_png, read_header

_ORIENTATION: Final = 0x0112
_SHORT: Final = 3
_EXIF: Final = b"Exif\0\0"
_APP0, _APP2, _APP14, _LAST_APP, _COMMENT = 0xE0, 0xE2, 0xEE, 0xEF, 0xFE
_SCAN, _END = 0xDA, 0xD9
_AFTER_SCAN: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_PNG_KEPT: Final = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP"}
)
_WEBP_KEPT: Final = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ICCP"})
_WEBP_EXIF, _WEBP_XMP = 0x08, 0x04  # of the flags (RFC 9649, §2.7)


def without_metadata(data: bytes, *, name: str = "image", limits: ImageLimits | None = None) -> bytes:
    """The picture alone.

    Raises:
        ImageError: as `vision.image.read_header`; of a BMP or TIFF as `vision.image.decode`, or its PNG has more bytes than the limits
            allow; or its segments cannot be told apart.
    """
    limits = limits or ImageLimits()
    header = read_header(data, name=name, limits=limits)
    if header.format in {"BMP", "TIFF"}:
        png = encode_png(decode(data, name=name, limits=limits).image_hwc)
        if len(png) > limits.max_bytes:
            raise ImageError(
                f"{name}: expected at most {limits.max_bytes} bytes as the PNG that is kept of a {header.format}, found {len(png)}"
            )
        return png
    turned = _orientation_alone(header.orientation) if header.orientation != 1 else b""
    strip = {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp}[header.format]
    try:
        return b"".join(strip(data, turned))
    except (struct.error, IndexError) as error:
        raise ImageError(f"{name}: expected whole {header.format} segments, found one cut short") from error


def _orientation_alone(orientation: int) -> bytes:
    """An EXIF block (TIFF 6.0, §2) that says nothing else."""
    entry = struct.pack("<HHIHH", _ORIENTATION, _SHORT, 1, orientation, 0)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)


def _jpeg(data: bytes, turned: bytes) -> Iterator[bytes]:
    """Marker segments (ITU T.81, annex B) up to the end of the image."""
    yield data[:2]
    if turned:
        body = _EXIF + turned
        yield b"\xff\xe1" + struct.pack(">H", 2 + len(body)) + body
    position = 2
    while data[position + 1] != _END:
        if data[position + 1] == 0xFF:  # fill byte
            position += 1
            continue
        marker = data[position + 1]
        end = position + 2 + struct.unpack_from(">H", data, position + 2)[0]
        if marker == _SCAN:  # entropy-coded data follows, in which FF is always stuffed
            after = _AFTER_SCAN.search(data, end)
            end = after.start() if after else len(data)
        yield _jpeg_segment(marker, data[position:end])
        position = end
    yield data[position : position + 2]


def _jpeg_segment(marker: int, segment: bytes) -> bytes:
    """The segment, or nothing of it; of JFIF's all but a thumbnail."""
    body = segment[4:]
    if marker == _APP0:
        jfif = body.startswith(b"JFIF\0") and len(body) >= 14
        return b"\xff\xe0\x00\x10" + body[:12] + bytes(2) if jfif else b""
    if marker == _APP2:
        return segment if body.startswith(b"ICC_PROFILE\0") else b""
    if marker == _APP14:  # says which colours the numbers are
        return segment if body.startswith(b"Adobe") else b""
    return b"" if _APP0 < marker <= _LAST_APP or marker == _COMMENT else segment


def _png(data: bytes, turned: bytes) -> Iterator[bytes]:
    """Chunks (PNG, third edition, §5.3) up to the end."""
    yield data[:8]
    position, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if kind in _PNG_KEPT:
            yield data[position:end]
        if kind == b"IHDR" and turned:
            yield struct.pack(">I", len(turned)) + b"eXIf" + turned
            yield struct.pack(">I", zlib.crc32(b"eXIf" + turned))
        position = end


def _webp(data: bytes, turned: bytes) -> Iterator[bytes]:
    """Chunks (RFC 9649, §2.3) within the declared size."""
    kept = []
    position, whole = 12, 8 + struct.unpack_from("<I", data, 4)[0]
    while position < whole:
        kind, length = struct.unpack_from("<4sI", data, position)
        end = position + 8 + length + length % 2
        chunk = data[position:end]
        if kind == b"VP8X":
            flags = chunk[8] & ~(_WEBP_EXIF | _WEBP_XMP) | (_WEBP_EXIF if turned else 0)
            chunk = chunk[:8] + bytes([flags]) + chunk[9:]
        if kind in _WEBP_KEPT:
            kept.append(chunk)
        position = end
    if turned:  # an extended file: else there would be nothing that turns it
        kept.append(b"EXIF" + struct.pack("<I", len(turned)) + turned)
    body = b"WEBP" + b"".join(kept)
    yield b"RIFF" + struct.pack("<I", len(body)) + body
