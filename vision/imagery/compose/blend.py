"""Scene and placed product to the master: light, shadow, the soft edge, and at last the product's own pixels, bit for bit."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from vision.errors import ImageryError
from vision.image import Pixels
from vision.imagery.compose.light import exposed, exposure
from vision.imagery.compose.place import OPAQUE, Placed, box_of
from vision.imagery.compose.shadow import shaded, shadow, values
from vision.imagery.manifest import ComposeRecord
from vision.imagery.scenes.scene import Scene

VERSION: Final = 1
_REACHES: Final = (3, 9)  # px from which the soft edge takes the product's colour, the nearer first


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """A finished picture.

    Attributes:
        master_hwc: uint8 (H, W, 3) sRGB.
        record: what was done beside placing the product.
    """

    master_hwc: Pixels
    record: ComposeRecord


def compose(scene: Scene, placed: Placed) -> Composition:
    """Put a placed product into a scene of its size.

    A scene without a light keeps its exposure and one without a horizon gets no shadow: on plain white both would make it another white.

    Raises:
        ImageryError: the scene is not uint8 RGB of the frame's size.
    """
    _check(scene, placed)
    exponent = 1.0 if scene.layout.light is None else exposure(scene.image_hwc, placed)
    ground = exposed(scene.image_hwc, exponent)
    if scene.layout.horizon is not None:
        ground = shaded(ground, shadow(placed, scene.layout))
    record = ComposeRecord(
        version=VERSION,
        values={
            "exposure": exponent,
            "shadow": values(scene.layout),
            "locked_pixels": int(placed.locked_hw.sum()),
            "edge_pixels": int(placed.edge_hw.sum()),
        },
        fingerprint=fingerprint(),
    )
    return Composition(master_hwc=blended(ground, placed), record=record)


def fingerprint() -> dict[str, str]:
    """What the same pixels depend on beside the inputs."""
    return {"opencv": cv2.__version__, "numpy": np.__version__}


def blended(ground_hwc: Pixels, placed: Placed) -> Pixels:
    """The product on the ground: its own pixels where it is opaque, mixed by alpha at the soft edge, whose colour is the product's."""
    master = ground_hwc.copy()
    box = box_of(placed.alpha_hw > 0)
    if box is None:
        return master
    left, top, right, bottom = box
    part = np.s_[top:bottom, left:right]
    here = Placed(image_hwc=placed.image_hwc[part], alpha_hw=placed.alpha_hw[part])
    edge = here.edge_hw
    alpha = here.alpha_hw[edge].astype(np.int64)[:, None]
    mixed = (_edge_colours(here) * alpha + master[part][edge] * (OPAQUE - alpha) + 127) // OPAQUE
    master[part][edge] = mixed.astype(np.uint8)
    np.copyto(master[part], here.image_hwc, where=here.locked_hw[:, :, None])
    return master


def _edge_colours(placed: Placed) -> npt.NDArray[np.int64]:
    """The product's colour for each pixel of the soft edge, row by row: int64 (N, 3).

    Such a pixel of a photo holds some of the photo's background, which would show as a fringe. So it takes its colour from the opaque
    pixels around it, where there are any, and keeps of its own the fourth power of its opacity.
    """
    edge, locked = placed.edge_hw, placed.locked_hw
    own = placed.image_hwc[edge].astype(np.int64)
    inside = np.where(locked[:, :, None], placed.image_hwc, 0).astype(np.uint8)
    colour = own
    for reach in reversed(_REACHES):
        sums, count = _around(inside, reach)[edge], _around(locked.astype(np.uint8), reach)[edge][:, None]
        colour = np.where(count > 0, (sums + count // 2) // np.maximum(count, 1), colour)
    alpha = placed.alpha_hw[edge].astype(np.int64)[:, None]
    weight = alpha**4 // OPAQUE**3  # of its own, 0 to 255
    return np.asarray((own * weight + colour * (OPAQUE - weight) + 127) // OPAQUE)


def _around(planes: Pixels, reach: int) -> npt.NDArray[np.int64]:
    """Sums over the square around each pixel, exact."""
    size = (2 * reach + 1, 2 * reach + 1)
    summed = cv2.boxFilter(planes, cv2.CV_32S, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(summed, np.int64)


def _check(scene: Scene, placed: Placed) -> None:
    expected = placed.image_hwc.shape
    if scene.image_hwc.shape != expected or scene.image_hwc.dtype != np.uint8:
        raise ImageryError(
            f"scene: expected uint8 pixels of shape {expected}, found {scene.image_hwc.dtype} of {scene.image_hwc.shape}"
        )
