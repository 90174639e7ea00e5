"""Product photographs drawn on the fly, with their true alpha: lettering and fine texture, in which any changed pixel shows.

The same kind, seed and side give the same picture on one machine; another processor's sine may differ by a level here and there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from tests.goods.canvas import Canvas, Foot, Plane
from tests.goods.hard import bottle, box, mug
from tests.goods.soft import bag, brush, shoe
from vision.image import Pixels, encode_png

Kind: TypeAlias = Literal["mug", "bottle", "box", "shoe", "bag", "brush"]
Backdrop: TypeAlias = Literal["white", "grey", "gradient"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
BACKDROPS: Final[tuple[Backdrop, ...]] = get_args(Backdrop)
_DRAWN_BY: Final[dict[Kind, Callable[[Canvas, np.random.Generator], Foot]]] = {
    "mug": mug,
    "bottle": bottle,
    "box": box,
    "shoe": shoe,
    "bag": bag,
    "brush": brush,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """A drawn product.

    Attributes:
        photo_png: the photograph, as a designer would hand it in.
        photo_hwc: uint8 (side, side, 3), its pixels.
        alpha_hw: uint8 (side, side), how much of each pixel is product; its shadow is background.
    """

    name: str
    photo_png: bytes
    photo_hwc: Pixels
    alpha_hw: Pixels


def goods(kind: Kind, seed: int = 0, side: int = 1200, *, backdrop: Backdrop | None = None) -> Good:
    """One product on a backdrop, which the seed chooses where it is not said."""
    rng = np.random.default_rng([KINDS.index(kind), seed])
    canvas = Canvas(
        side, scale=rng.uniform(0.66, 0.76), shift=(rng.uniform(-0.06, 0.06), rng.uniform(-0.05, 0.05))
    )
    foot = _DRAWN_BY[kind](canvas, rng)
    ground = _backdrop(canvas, backdrop or BACKDROPS[seed % len(BACKDROPS)], foot, rng)
    lit = canvas.colour + ground * (1 - canvas.alpha[..., None])
    noise = rng.normal(0, 0.0025, (side, side, 1)) * np.minimum(1, 4 * (1 - lit))  # none where it is white
    photo = np.clip(np.rint((lit + noise) * 255), 0, 255).astype(np.uint8)
    alpha = np.rint(canvas.alpha * 255).astype(np.uint8)
    return Good(name=f"{kind}-{seed}", photo_png=encode_png(photo), photo_hwc=photo, alpha_hw=alpha)


def _backdrop(canvas: Canvas, kind: Backdrop, foot: Foot, rng: np.random.Generator) -> Plane:
    """Float32 (side, side, 3), 0 to 1: the backdrop with the product's shadow on it."""
    axis = np.linspace(-1, 1, canvas.side, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    if kind == "white":
        level: npt.NDArray[np.floating] = np.ones_like(x)
    elif kind == "grey":
        level = rng.uniform(0.62, 0.86) - 0.05 * (x * x + y * y)
    else:
        level = rng.uniform(0.7, 0.85) - 0.16 * x - 0.12 * y
    warm = np.asarray(
        (1, 1, 1) if kind == "white" else (1, rng.uniform(0.96, 1), rng.uniform(0.9, 1)), np.float32
    )
    left, right, height = foot
    shadow = np.exp(
        -(((canvas.x - (left + right) / 2 - 0.05) / (0.62 * (right - left))) ** 4)
        - ((canvas.y - height) / 0.07) ** 2
    )
    shaded = level * (1 - rng.uniform(0.18, 0.34) * shadow)
    return np.asarray(shaded[..., None] * warm, np.float32)
