"""Encoded bytes to pixels: one decoder for training, server and edge.

Takes a file's bytes, gives a `Frame` of `uint8 (H, W, 3)` RGB pixels, upright, or raises `ImageError`. Limits are
checked on the header, before any pixel is decoded. It knows nothing of models: what size or crop a
model wants is `vision.preprocess`.

Pillow reads headers here; OpenCV alone decodes, so that a picture gives the same pixels everywhere.
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from vision import encoded
from vision.errors import ImageError

Pixels: TypeAlias = npt.NDArray[np.uint8]

FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
IMAGE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
REDUCTIONS: Final = (1, 2, 4, 8)
# Pillow's own readers rather than `Image.open`: no other parser meets a stranger's bytes, and `ImageLimits` alone
# decides how large a picture may be.
_READERS: Final[dict[str, type[ImageFile]]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
}
_SIGNATURES: Final = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"RIFF", "WEBP"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
)
_EXIF_ORIENTATION: Final = 0x0112
_EXIF_SHORT: Final = 3
_TIFF_CHANNELS: Final = {
    0: 1,
    1: 1,
    2: 3,
    3: 1,
    5: 4,
    6: 3,
}  # by photometric interpretation (TIFF 6.0, §8, 16, 21)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """What is refused before decoding. The defaults suit a service that strangers may send pictures to."""

    max_bytes: int = 16 * 1024 * 1024
    max_pixels: int = 50_000_000
    min_side_px: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """What a picture says of itself before decoding. `size_wh` is as a viewer shows it, upright.

    Attributes:
        mode: its colours, as Pillow names them: `RGB`, `L`, `CMYK`.
        profile: its ICC profile; empty where it has none.
    """

    format: str
    size_wh: tuple[int, int]
    orientation: int
    mode: str = "RGB"
    profile: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A decoded picture.

    Attributes:
        image_hwc: uint8 (H, W, 3), RGB, upright.
        size_wh: the picture's full size in pixels; larger than `image_hwc` after reduced decoding.
        name: where it came from, for messages.
    """

    image_hwc: Pixels
    size_wh: tuple[int, int]
    name: str = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """A decoded picture with its transparency beside it, not laid on anything.

    Attributes:
        image_hwc: uint8 (H, W, 3), RGB, upright, as stored: what is seen through a transparent pixel is kept.
        alpha_hw: uint8 (H, W), 255 opaque; nothing where the picture has no transparency.
    """

    image_hwc: Pixels
    alpha_hw: Pixels | None


def read_header(data: bytes, *, name: str = "image", limits: ImageLimits | None = None) -> ImageHeader:
    """Read size, format and orientation without decoding.

    Raises:
        ImageError: not a picture, a format outside `FORMATS`, animated, or outside the limits.
    """
    limits = limits or ImageLimits()
    if not data:
        raise ImageError(f"{name}: expected an encoded image, found 0 bytes")
    if len(data) > limits.max_bytes:
        raise ImageError(f"{name}: expected at most {limits.max_bytes} bytes, found {len(data)}")
    found = _format_of(data, name)
    try:
        if found == "WEBP":  # whose reader sets the canvas aside as it opens
            _check_size(name, encoded.webp_canvas_wh(data), limits)
        with _READERS[found](io.BytesIO(data)) as header:
            size_wh, info, mode = header.size, header.info, header.mode
            several = getattr(header, "is_animated", False)  # absent from readers of formats that hold one
            unsupported = _tiff_unsupported(header) if isinstance(header, TiffImageFile) else None
    except (OSError, ValueError, SyntaxError, TypeError, LookupError, struct.error, Warning) as error:
        raise ImageError(f"{name}: the {found} header cannot be read: {error}") from error
    if several:
        raise ImageError(f"{name}: expected one still picture, found several in one {found}")
    if unsupported:
        raise ImageError(f"{name}: expected {unsupported}")
    _check_size(name, size_wh, limits)
    profile = info.get("icc_profile") or b""
    if found == "TIFF":  # its reader gives the size upright, its decoder turns the picture
        return ImageHeader(format=found, size_wh=size_wh, orientation=1, mode=mode, profile=profile)
    orientation = _orientation(encoded.png_chunk(data, b"eXIf") if found == "PNG" else info.get("exif", b""))
    if orientation >= 5:
        size_wh = (size_wh[1], size_wh[0])
    return ImageHeader(format=found, size_wh=size_wh, orientation=orientation, mode=mode, profile=profile)


def _format_of(data: bytes, name: str) -> str:
    for signature, image_format in _SIGNATURES:
        if data.startswith(signature):
            return image_format
    raise ImageError(f"{name}: expected one of {', '.join(FORMATS)}, found bytes that begin {data[:12]!r}")


def _orientation(exif: bytes) -> int:
    """EXIF 2.32, tag 0x0112 of the first directory; 1, upright, where there is none or a senseless one."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
        for start in range(directory + 2, directory + 2 + 12 * entries, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, start)
            if tag == _EXIF_ORIENTATION:
                return int(value) if kind == _EXIF_SHORT and 1 <= value <= 8 else 1
    except struct.error:  # the block ends early: what it says is not known
        return 1
    return 1


def _check_size(name: str, size_wh: tuple[int, int], limits: ImageLimits) -> None:
    width, height = size_wh
    if width * height > limits.max_pixels:
        raise ImageError(
            f"{name}: expected at most {limits.max_pixels} pixels, found {width}x{height} = {width * height}"
        )
    if min(width, height) < limits.min_side_px:
        raise ImageError(
            f"{name}: expected sides of at least {limits.min_side_px} px, found {width}x{height}"
        )


def decode(
    data: bytes,
    *,
    name: str = "image",
    limits: ImageLimits | None = None,
    reduce: Callable[[ImageHeader], int] | None = None,
) -> Frame:
    """Decode a whole picture: grey and palette become RGB, 16 bit becomes 8, alpha is laid on white.

    A TIFF with alpha is refused: whether its colours already hold the alpha is told by some programs and not by others.

    Args:
        reduce: chooses 1, 2, 4 or 8 from the header; a JPEG is then decoded at that fraction of its
            size, straight from its DCT coefficients. Other formats are decoded in full.

    Raises:
        ImageError: as `read_header`, and for data that ends early or contradicts itself.
    """
    header, decoded = _decode_stored(data, name, limits, reduce)
    image, alpha = _rgb_and_alpha(decoded)
    upright = _upright(image if alpha is None else _on_white(image, alpha), header.orientation)
    return Frame(image_hwc=np.ascontiguousarray(upright), size_wh=header.size_wh, name=name)


def decode_layers(data: bytes, *, name: str = "image", limits: ImageLimits | None = None) -> Layers:
    """Decode a whole picture as `decode` does, but keep its alpha apart and the colours beneath it.

    Raises:
        ImageError: as `decode`.
    """
    header, decoded = _decode_stored(data, name, limits, None)
    image, alpha = _rgb_and_alpha(decoded)
    return Layers(
        image_hwc=np.ascontiguousarray(_upright(image, header.orientation)),
        alpha_hw=None if alpha is None else np.ascontiguousarray(_upright(alpha, header.orientation)),
    )


def _decode_stored(
    data: bytes,
    name: str,
    limits: ImageLimits | None,
    reduce: Callable[[ImageHeader], int] | None,
) -> tuple[ImageHeader, npt.NDArray[np.generic]]:
    """The header, and the pixels as stored: not turned yet, of one to four channels, 8 or 16 bits each."""
    header = read_header(data, name=name, limits=limits)
    _check_complete(header.format, data, name)
    reduction = reduce(header) if reduce is not None and header.format == "JPEG" else 1
    decoded = _decode_raw(data, header.format, reduction, name)
    width, height = header.size_wh if header.orientation < 5 else header.size_wh[::-1]
    expected = (-(-height // reduction), -(-width // reduction))
    if decoded.shape[:2] != expected:
        raise ImageError(f"{name}: expected {expected} rows and columns, decoded {decoded.shape[:2]}")
    if decoded.dtype not in {np.dtype(np.uint8), np.dtype(np.uint16)}:
        raise ImageError(f"{name}: expected 8 or 16 bits a channel, found {decoded.dtype}")
    if header.format == "PNG" and decoded.ndim == 2:
        decoded = _with_grey_key(decoded, data)
    return header, decoded


def load(
    path: Path,
    *,
    limits: ImageLimits | None = None,
    reduce: Callable[[ImageHeader], int] | None = None,
) -> Frame:
    """Read and decode a file.

    Raises:
        ImageError: as `decode`, and when the file cannot be read.
    """
    return decode(read_bytes(path, limits=limits), name=str(path), limits=limits, reduce=reduce)


def read_bytes(path: Path, *, limits: ImageLimits | None = None) -> bytes:
    """Read a file, refusing one over `limits.max_bytes` before it fills the memory."""
    limits = limits or ImageLimits()
    try:
        size = path.stat().st_size
        if size > limits.max_bytes:
            raise ImageError(f"{path}: expected at most {limits.max_bytes} bytes, found {size}")
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # a NUL in the path
        raise ImageError(f"{str(path)!r}: cannot be read: {error}") from error


def encode_png(image: Pixels) -> bytes:
    """Encode uint8 RGB (H, W, 3) or grey (H, W) losslessly."""
    done, buffer = cv2.imencode(".png", image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise ImageError(f"an image of shape {image.shape} cannot be encoded as PNG")
    return buffer.tobytes()


def encode_jpeg(image_hwc: Pixels, *, quality: int = 95) -> bytes:
    """Encode uint8 RGB (H, W, 3) with losses; `quality` 1..100."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    done, buffer = cv2.imencode(".jpg", cv2.cvtColor(image_hwc, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ImageError(f"an image of shape {image_hwc.shape} cannot be encoded as JPEG")
    return buffer.tobytes()


def _decode_raw(data: bytes, image_format: str, reduction: int, name: str) -> npt.NDArray[np.generic]:
    flags = {
        1: cv2.IMREAD_COLOR,
        2: cv2.IMREAD_REDUCED_COLOR_2,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        8: cv2.IMREAD_REDUCED_COLOR_8,
    }[reduction] | cv2.IMREAD_IGNORE_ORIENTATION
    if image_format in {"PNG", "TIFF", "WEBP"} or (image_format == "BMP" and encoded.bmp_has_alpha(data)):
        # these may hold alpha or 16 bits, which we convert ourselves
        flags = cv2.IMREAD_UNCHANGED
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ImageError(f"{name}: cannot be decoded as {image_format}: {error.err}") from error
    if decoded is None:
        raise ImageError(f"{name}: cannot be decoded as {image_format}: the data is damaged")
    return decoded


def _rgb_and_alpha(decoded: npt.NDArray[np.generic]) -> tuple[Pixels, Pixels | None]:
    if decoded.dtype == np.uint16:
        decoded = ((decoded.astype(np.uint32) + 128) // 257).astype(np.uint8)  # 65535 = 255 x 257
    pixels: Pixels = decoded.astype(np.uint8, copy=False)
    if pixels.ndim == 2:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8), None
    if pixels.shape[2] == 2:  # grey with alpha
        return np.dstack([pixels[:, :, :1]] * 3), pixels[:, :, 1]
    if pixels.shape[2] == 4:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB), np.uint8), pixels[:, :, 3]
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8), None


def _on_white(image_hwc: Pixels, alpha_hw: Pixels) -> Pixels:
    alpha = alpha_hw[:, :, None].astype(np.uint16)
    mixed = image_hwc.astype(np.uint16) * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _upright(image: Pixels, orientation: int) -> Pixels:
    """Undo the EXIF orientation (EXIF 2.32, tag 0x0112: where row 0 and column 0 of the stored picture belong)."""
    turned = image.swapaxes(0, 1) if orientation >= 5 else image
    flip_rows = orientation in {3, 4, 7, 8}
    flip_columns = orientation in {2, 3, 6, 7}
    return turned[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


def _check_complete(image_format: str, data: bytes, name: str) -> None:
    """Refuse data that ends early: decoders otherwise fill the rest with grey and say nothing."""
    missing = encoded.missing(image_format, data)
    if missing:
        raise ImageError(f"{name}: the {image_format} is truncated or damaged: {missing}")


def _with_grey_key(decoded: npt.NDArray[np.generic], data: bytes) -> npt.NDArray[np.generic]:
    """Make alpha of the one grey value that a tRNS chunk declares transparent; OpenCV does not for grey pictures."""
    key, depth, colour_type = encoded.png_chunk(data, b"tRNS"), data[24], data[25]
    if len(key) != 2 or colour_type != 0:
        return decoded
    full = 65535 if decoded.dtype == np.uint16 else 255
    value = int.from_bytes(key, "big") * full // ((1 << depth) - 1)
    return np.dstack([decoded, np.where(decoded == value, 0, full).astype(decoded.dtype)])


def _tiff_unsupported(tiff: TiffImageFile) -> str | None:
    """What OpenCV would give other pixels for than the file means: associated alpha, bits it does not scale, planes."""
    tags = tiff.tag_v2
    photometric, channels, planar = tags.get(262), tags.get(277, 1), tags.get(284, 1)
    bits = set(tags.get(258, (1,)))
    if photometric not in _TIFF_CHANNELS or channels != _TIFF_CHANNELS[photometric]:
        return f"grey, palette, RGB, CMYK or YCbCr without alpha, found photometric {photometric}, {channels} channels"
    if bits == {16} and (planar != 1 or photometric not in {1, 2}):
        return (
            f"16-bit channels interleaved, as grey or RGB; found planar {planar}, photometric {photometric}"
        )
    if bits not in ({1}, {4}, {8}, {16}):
        return f"1, 4, 8 or 16 bits a channel, found {', '.join(map(str, bits))}"
    return None
