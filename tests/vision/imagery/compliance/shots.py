"""Finished images made on the fly: a product of random shape and colours, whole in the frame, on white or in a scene."""

import io
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from PIL import Image

from vision.image import Pixels
from vision.imagery.compliance import Context

WHITE = (255, 255, 255)


@dataclass(frozen=True, kw_only=True)
class Shot:
    """An image that is yet to be encoded, and how it will be.

    Attributes:
        image_hwc: uint8 (H, W, 3).
        alpha_hw: uint8 (H, W), the product's opacity.
        format, options: as Pillow has them.
        padding: bytes after the end of the picture, which viewers ignore.
        told: whether the checker is told where the product is.
    """

    image_hwc: Pixels
    alpha_hw: Pixels
    format: str = "JPEG"
    options: dict[str, Any] = field(default_factory=dict)
    padding: int = 0
    name: str = "shot.jpg"
    mode: str = "RGB"
    told: bool = False
    synthetic: bool | None = None
    own_text: tuple[str, ...] | None = None

    def encoded(self) -> bytes:
        picture = Image.fromarray(self.image_hwc)
        if self.mode == "RGBA":
            picture.putalpha(Image.fromarray(self.alpha_hw))
        elif self.mode != "RGB":
            picture = picture.convert(self.mode)
        options = {"quality": 95, "subsampling": "4:4:4"} if self.format == "JPEG" else {}
        options |= {"lossless": True} if self.format == "WEBP" else {}
        buffer = io.BytesIO()
        picture.save(buffer, self.format, **(options | self.options))
        return buffer.getvalue() + bytes(self.padding)

    def context(self) -> Context:
        return Context(
            name=self.name,
            alpha_hw=self.alpha_hw if self.told else None,
            own_text=self.own_text,
            synthetic=self.synthetic,
        )

    def resized(self, width: int, height: int) -> "Shot":
        """Of another size, product and all."""
        size = (width, height)
        image_hwc = np.asarray(cv2.resize(self.image_hwc, size, interpolation=cv2.INTER_AREA), np.uint8)
        alpha_hw = np.asarray(cv2.resize(self.alpha_hw, size, interpolation=cv2.INTER_AREA), np.uint8)
        return replace(self, image_hwc=image_hwc, alpha_hw=alpha_hw)


def product(rng: np.random.Generator, side: int) -> tuple[Pixels, Pixels]:
    """A product that fills a square of this side along its longest one: RGB (side, side, 3) and opacity."""
    large = 2 * side
    mask = np.zeros((large, large), np.uint8)
    narrow = int(large * rng.uniform(0.62, 0.95))
    left = (large - narrow) // 2
    kind = rng.integers(3)
    if kind == 0:
        cv2.ellipse(mask, (large // 2, large // 2), (narrow // 2 - 1, large // 2 - 1), 0, 0, 360, 255, -1)
    elif kind == 1:
        cut = narrow // 5
        right = large - left
        corners = [
            (left + cut, 0),
            (right - cut, 0),
            (right, cut),
            (right, large),
            (left, large),
            (left, cut),
        ]
        cv2.fillPoly(mask, [np.asarray(corners, np.int32)], 255)
    else:
        neck = narrow // 4
        cv2.rectangle(mask, (large // 2 - neck // 2, 0), (large // 2 + neck // 2, large // 3), 255, -1)
        cv2.ellipse(mask, (large // 2, 2 * large // 3), (narrow // 2 - 1, large // 3), 0, 0, 360, 255, -1)
    if rng.integers(2):
        mask = np.ascontiguousarray(mask.T)
    colour = rng.integers(20, 190, 3)
    y, x = np.mgrid[:side, :side] / side
    shade = 0.8 + 0.4 * (x * rng.uniform(0.2, 1) + y * rng.uniform(0, 0.8)) / 2
    image = colour * shade[:, :, None] + rng.normal(0, 5, (side, side, 1))
    stripes = (np.sin(2 * np.pi * (x + y) * rng.integers(3, 9)) > 0.6)[:, :, None]
    image = np.where(stripes, image * 0.7 + 15, image)
    alpha = cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA)
    return np.clip(image, 0, 215).astype(np.uint8), np.asarray(alpha, np.uint8)


def placed(
    rng: np.random.Generator,
    *,
    size: int = 1600,
    fill: float = 0.9,
    moved: tuple[float, float] = (0.0, 0.0),
    ground: Pixels | None = None,
) -> Shot:
    """A product in a square frame; `moved` from its middle, in shares of the side, as far as out of it."""
    side = round(size * fill)
    image, alpha = product(rng, side)
    left, top = (round((size - side) / 2 + size * share) for share in moved)
    turn = np.asarray([[1, 0, left], [0, 1, top]], np.float32)
    alpha_hw = np.asarray(cv2.warpAffine(alpha, turn, (size, size)), np.uint8)
    over = cv2.warpAffine(image, turn, (size, size)).astype(np.float64)
    under = np.full((size, size, 3), 255, np.uint8) if ground is None else ground
    opacity = alpha_hw[:, :, None] / 255
    mixed = over * opacity + under * (1 - opacity)
    return Shot(image_hwc=np.rint(mixed).astype(np.uint8), alpha_hw=alpha_hw)


def scene(rng: np.random.Generator, size: int = 1600) -> Pixels:
    """A wall above a table, lit from one side."""
    y, x = np.mgrid[:size, :size] / size
    wall, table = rng.integers(90, 230, 3), rng.integers(60, 200, 3)
    lit = (0.75 + 0.25 * x)[:, :, None]
    image = (
        np.where((y > rng.uniform(0.55, 0.75))[:, :, None], table * (1.1 - 0.3 * y[:, :, None]), wall) * lit
    )
    return np.asarray(np.clip(image + rng.normal(0, 2, (size, size, 1)), 0, 255), np.uint8)
