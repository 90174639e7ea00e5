"""What an encoded picture's own bytes say: whether it is whole, and what decoders do not ask for.

Takes a file's bytes, walks its containers' markers and chunks, decodes nothing. A JPEG has no checksum: damage inside its scan
cannot be seen here, its end can.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Final

_JPEG_MARKER_AFTER_SCAN: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def missing(image_format: str, data: bytes) -> str | None:
    """What a JPEG, PNG, WEBP or BMP lacks to be whole, in words; nothing where it is, or where its decoder says so itself."""
    checks = {"JPEG": _jpeg_missing, "PNG": _png_missing, "WEBP": _webp_missing, "BMP": _bmp_missing}
    return checks[image_format](data) if image_format in checks else None


def _jpeg_missing(data: bytes) -> str | None:
    """Walk the marker segments (ITU T.81, annex B) to the end-of-image marker, past any thumbnail inside one."""
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return f"expected a marker at byte {position}"
        marker = data[position + 1]
        if marker == 0xD9:
            return None
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == 0xDA:  # start of scan: entropy-coded data follows, in which FF is always stuffed
            after = _JPEG_MARKER_AFTER_SCAN.search(data, position)
            if after is None:
                return "the scan ends without an end-of-image marker"
            position = after.start()
    return None if data[position : position + 2] == b"\xff\xd9" else "no end-of-image marker"


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each chunk's body that lies whole in the data (PNG, third edition, §5.3)."""
    start = 16
    while start <= len(data):
        end = start + int.from_bytes(data[start - 8 : start - 4], "big")
        if end + 4 > len(data):
            return
        yield data[start - 4 : start], start, end
        start = end + 12


def png_chunk(data: bytes, wanted: bytes) -> bytes:
    return next((data[start:end] for kind, start, end in _png_chunks(data) if kind == wanted), b"")


def _png_missing(data: bytes) -> str | None:
    view = memoryview(data)
    for kind, start, end in _png_chunks(data):
        if zlib.crc32(view[start - 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return f"chunk at byte {start - 8} has a wrong checksum"
        if kind == b"IEND":
            return None
    return "no IEND chunk"


def _webp_missing(data: bytes) -> str | None:
    declared = int.from_bytes(data[4:8], "little") + 8
    return None if declared <= len(data) else f"expected {declared} bytes, found {len(data)}"


def webp_canvas_wh(data: bytes) -> tuple[int, int]:
    """Width and height from the first chunk (RFC 9649, §2.5 to §2.7).

    Raises:
        ValueError: the first chunk is not one that a WebP file begins with.
    """
    kind, body = data[8:16], data[20:30]
    if len(body) == 10 and kind == b"WEBPVP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if len(body) == 10 and kind == b"WEBPVP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if len(body) == 10 and kind == b"WEBPVP8 ":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError("not a WebP file")


def bmp_has_alpha(data: bytes) -> bool:
    """Whether a BITMAPV3INFOHEADER or later names bits for alpha; 32 bits a pixel alone do not mean alpha."""
    header_size, compression = struct.unpack_from("<I", data, 14)[0], struct.unpack_from("<I", data, 30)[0]
    return header_size >= 56 and compression in {3, 6} and data[66:70] != bytes(4)


def _bmp_missing(data: bytes) -> str | None:
    declared = int.from_bytes(data[2:6], "little")
    return None if declared <= len(data) else f"expected {declared} bytes, found {len(data)}"
