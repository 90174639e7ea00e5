"""Pictures made on the fly, from integer formulas: the same on every machine, in every run."""

import io
import struct
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from vision.image import Pixels


def rough(width: int, height: int) -> Pixels:
    """uint8 (height, width, 3) in which no two neighbours are alike: any wrong pixel shows."""
    y, x = np.mgrid[:height, :width].astype(np.int64)
    channels = [3 * x * x + 7 * y + x * y, 5 * x + 11 * y * y, 13 * x * y + x + 29 * y]
    return np.stack([channel % 256 for channel in channels], axis=-1).astype(np.uint8)


def smooth(width: int, height: int) -> Pixels:
    """uint8 (height, width, 3): slow ramps, which JPEG and resizing keep within a level or two."""
    y, x = np.mgrid[:height, :width]
    right, down = 40 + 160 * x // max(width - 1, 1), 30 + 190 * y // max(height - 1, 1)
    return np.stack([right, down, (right + down) // 2], axis=-1).astype(np.uint8)


def alpha_ramp(width: int, height: int) -> Pixels:
    """uint8 (height, width): from transparent at the left to opaque at the right."""
    return np.broadcast_to(255 * np.arange(width) // (width - 1), (height, width)).astype(np.uint8)


def encoded(pixels: npt.NDArray[Any] | Image.Image, image_format: str, **options: Any) -> bytes:
    """A file's bytes, as Pillow writes it."""
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    picture.save(buffer, image_format, **options)
    return buffer.getvalue()


def as_pillow_shows(data: bytes) -> npt.NDArray[np.int64]:
    """(H, W, 3) RGB, upright, transparency on white, by Pillow alone: what `vision.image` is held against."""
    with Image.open(io.BytesIO(data)) as picture:
        upright = ImageOps.exif_transpose(picture)
    if upright.mode == "I;16":
        grey = np.rint(np.asarray(upright, np.int64) / 257)
        return np.dstack([grey] * 3).astype(np.int64)
    if not upright.has_transparency_data:
        return np.asarray(upright.convert("RGB"), np.int64)
    rgba = np.asarray(upright.convert("RGBA"), np.float64)
    opacity = rgba[:, :, 3:] / 255
    return np.rint(rgba[:, :, :3] * opacity + 255 * (1 - opacity)).astype(np.int64)


def difference(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> int:
    """The largest difference in levels between two pictures of one shape."""
    assert one.shape == other.shape, f"{one.shape} against {other.shape}"
    return int(np.abs(one.astype(np.int64) - other.astype(np.int64)).max())


def exif(orientation: int, *, order: str = "<", kind: int = 3) -> bytes:
    """An EXIF block that says nothing but the orientation."""
    mark = b"II" if order == "<" else b"MM"
    head = b"Exif\x00\x00" + struct.pack(f"{order}2sHI", mark, 42, 8)
    return head + struct.pack(f"{order}HHHIHHI", 1, 0x0112, kind, 1, orientation, 0, 0)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def hollow_png(width: int, height: int) -> bytes:
    """A well-formed PNG that announces 8-bit RGB of this size and holds next to nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = png_chunk(b"IHDR", head) + png_chunk(b"IDAT", zlib.compress(bytes(1000))) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiff(pixels: npt.NDArray[Any], *, rows_per_strip: int = 5, **changed: list[int]) -> bytes:
    """An uncompressed TIFF with its directory in front of the pixels; `changed` sets tags, as `t262=[0]`."""
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    strips = [pixels[row : row + rows_per_strip].tobytes() for row in range(0, height, rows_per_strip)]
    tags = {
        256: [width],
        257: [height],
        258: [8 * pixels.dtype.itemsize] * channels,
        259: [1],
        262: [1 if channels == 1 else 2],
        273: [0] * len(strips),
        277: [channels],
        278: [rows_per_strip],
        279: [len(strip) for strip in strips],
    }
    tags |= {int(name[1:]): values for name, values in changed.items()}
    aside = 8 + 2 + 12 * len(tags) + 4  # where values that do not fit into an entry's four bytes begin
    pixels_at = aside + sum(4 * len(values) for values in tags.values() if len(values) > 1)
    starts = np.cumsum([pixels_at, *(len(strip) for strip in strips[:-1])])
    tags[273] = [int(start) for start in starts]
    entries, values_aside = b"", b""
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}I", *values)
        place = aside + len(values_aside)
        entries += struct.pack("<HHI", tag, 4, len(values))
        entries += packed if len(values) == 1 else struct.pack("<I", place)
        values_aside += packed if len(values) > 1 else b""
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return struct.pack("<2sHI", b"II", 42, 8) + directory + values_aside + b"".join(strips)


@contextmanager
def small_disk(path: Path, *, kibibytes: int = 64) -> Iterator[Path]:
    """A file system of its own at `path` that is soon full; skips the test where none can be mounted."""
    mount, umount = which("mount"), which("umount")
    if mount is None or umount is None:
        pytest.skip("a full disk cannot be had: there is no mount command")
    path.mkdir()
    command = [mount, "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a full disk cannot be had: mounting a tmpfs needs root")
    try:
        yield path
    finally:
        subprocess.run([umount, str(path)], check=True)
