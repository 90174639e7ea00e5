"""Can this picture be judged at all? Blur, exposure and blank frames, before the model is believed.

Measured on the prepared picture, so that limits do not depend on the camera's resolution. Limits come from
pictures that were good enough to learn from; they are data in the bundle.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from vision.image import Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Measures of one picture.

    Attributes:
        sharpness: variance of the Laplacian (Pech-Pacheco et al. 2000), in squared grey levels.
        brightness: mean luma, 0..255.
        contrast: standard deviation of luma, in grey levels.
        clipped: share of pixels at the very end of the scale (luma 255), 0..1.
    """

    sharpness: float
    brightness: float
    contrast: float
    clipped: float


class QualityLimits(BaseModel):
    """What a picture must keep to be judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_sharpness: float = 0.0
    min_brightness: float = 4.0
    max_brightness: float = 251.0
    min_contrast: float = 2.0
    max_clipped: float = Field(default=1.0, le=1.0)

    def fault(self, quality: Quality) -> str | None:
        """What is wrong with a picture, in words; nothing if it can be judged."""
        checks = (
            (
                quality.contrast < self.min_contrast,
                "blank frame: contrast",
                quality.contrast,
                self.min_contrast,
            ),
            (
                quality.brightness < self.min_brightness,
                "too dark: brightness",
                quality.brightness,
                self.min_brightness,
            ),
            (
                quality.brightness > self.max_brightness,
                "too bright: brightness",
                quality.brightness,
                self.max_brightness,
            ),
            (
                quality.clipped > self.max_clipped,
                "overexposed: clipped share",
                quality.clipped,
                self.max_clipped,
            ),
            (
                quality.sharpness < self.min_sharpness,
                "blurred: sharpness",
                quality.sharpness,
                self.min_sharpness,
            ),
        )
        for wrong, what, found, limit in checks:
            if wrong:
                return f"{what} {found:.4g}, limit {limit:.4g}"
        return None


def measure(image_hwc: Pixels) -> Quality:
    """Measure a prepared picture, uint8 RGB (H, W, 3)."""
    luma = cv2.cvtColor(image_hwc, cv2.COLOR_RGB2GRAY)
    laplacian = cv2.Laplacian(luma, cv2.CV_16S)
    mean, deviation = cv2.meanStdDev(luma)
    _, spread = cv2.meanStdDev(laplacian)
    return Quality(
        sharpness=float(spread.item()) ** 2,
        brightness=float(mean.item()),
        contrast=float(deviation.item()),
        clipped=float(np.count_nonzero(luma == 255)) / luma.size,
    )


def limits_from(measured: Sequence[Quality]) -> QualityLimits:
    """Limits around pictures that people took for usable: half and one and a half times their extremes.

    The gate is for frames that are no picture of a part (lamp off, lens knocked, camera blind), not for outliers:
    those are novelty's. So the extremes are widened rather than cut.
    """

    def values(name: str) -> list[float]:
        return [getattr(one, name) for one in measured]

    darkest, brightest = min(values("brightness")), max(values("brightness"))
    return QualityLimits(
        min_sharpness=round(0.5 * min(values("sharpness")), 3),
        min_brightness=round(0.5 * darkest, 3),
        max_brightness=round(255 - 0.5 * (255 - brightest), 3),
        min_contrast=round(0.5 * min(values("contrast")), 3),
        max_clipped=round(min(1.0, 1.5 * max(values("clipped")) + 0.02), 4),
    )
