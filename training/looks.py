"""What one look at each picture leaves behind: digests, size, brightness, sharpness and a small grey copy.

Takes paths, gives a `Look` or the `ImageError` for each, in order; reads and decodes every file once and keeps
about 4 kB a picture. It knows nothing of labels or splits, nor which values are unusual: that is `training.audit`.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from vision.errors import ImageError
from vision.image import Pixels, read_bytes
from vision.preprocess import PreprocessSpec, prepare_bytes

SPEC: Final = PreprocessSpec(size_wh=(192, 192))
"""Small enough for reduced JPEG decoding to save most of the work, large enough to see a blur."""

GREY_PX: Final = 64
"""Side of the grey copy. On solar cells 64 found more second photographs of a cell than 96 or 128 did: finer pixels
compare focus and noise."""

WHITE: Final = 250
"""Luma from which a pixel counts as clipped; short of 255, as averaging and JPEG pull single values down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One readable picture.

    Attributes:
        sha256: of the file's bytes.
        pixels: digest of the RGB pixels at `SPEC`'s size; the same after lossless re-encoding.
        size_wh: full size in pixels, upright.
        grey: uint8 (GREY_PX, GREY_PX), luma.
        luma: mean, 0..255.
        clipped: share of white pixels, 0..1.
        sharpness: binary logarithm of the variance of the Laplacian, whose unit is one grey level squared.
    """

    path: Path
    sha256: str
    pixels: str
    size_wh: tuple[int, int]
    grey: Pixels
    luma: float
    clipped: float
    sharpness: float


def look(path: Path) -> Look:
    """Read, decode and measure one picture.

    Raises:
        ImageError: it cannot be read or decoded whole.
    """
    data = read_bytes(path)
    prepared = prepare_bytes(data, SPEC, name=str(path))
    grey = np.asarray(cv2.cvtColor(prepared.image_hwc, cv2.COLOR_RGB2GRAY), np.uint8)
    small = cv2.resize(grey, (GREY_PX, GREY_PX), interpolation=cv2.INTER_AREA)
    return Look(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        pixels=hashlib.sha256(prepared.image_hwc.tobytes()).hexdigest(),
        size_wh=prepared.source_wh,
        grey=np.asarray(small, np.uint8),
        luma=float(grey.mean()),
        clipped=float((grey >= WHITE).mean()),
        sharpness=float(np.log2(max(cv2.Laplacian(grey, cv2.CV_64F).var(), 1e-3))),
    )


def look_at(
    paths: Sequence[Path], advance: Callable[[int], None] = lambda _: None
) -> list[Look | ImageError]:
    """Look at every picture, on all cores, and go on past those that cannot be read.

    Args:
        advance: called with the number of pictures done since the last call.
    """
    results = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(_look_or_error, paths):
            results.append(result)
            advance(1)
    return results


def _look_or_error(path: Path) -> Look | ImageError:
    try:
        return look(path)
    except ImageError as error:
        return error
