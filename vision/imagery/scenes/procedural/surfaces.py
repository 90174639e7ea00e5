"""What tables are made of: colour and gloss of each point of a table seen in perspective.

Takes the ground (where each pixel's point lies on the table), gives linear colours. Light is `render`'s affair.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from vision.imagery.look import Table
from vision.imagery.scenes.procedural.noise import Noise, Plane, ramp

Colour: TypeAlias = npt.NDArray[np.float32]  # (3,), RGB, linear, 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The table's points.

    Attributes:
        z_h: float32 (H,), distance from the viewer, about 0.8 in front and 4 at the far edge.
        x_hw: float32 (H, W), sideways, in the same unit.
        sharp_h: float32 (H,), 0 to 1: how much of fine detail is seen there.
    """

    z_h: Plane
    x_hw: Plane
    sharp_h: Plane

    def detail(self, cells: float, shown_px: float) -> Plane:
        """(H, 1): how much of noise of `cells` a unit is left where a unit is `shown_px` / z pixels wide; none beyond Nyquist."""
        pixels_a_cell = shown_px / (self.z_h * cells)
        seen = ramp(np.asarray(pixels_a_cell, np.float32), 1.0, 3.0) * self.sharp_h
        return np.asarray(seen[:, None], np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """A table's look, before light.

    Attributes:
        albedo_hwc: float32 (H, W, 3), linear.
        gloss: 0 to 1, how much of the wall it mirrors towards the far edge.
    """

    albedo_hwc: npt.NDArray[np.float32]
    gloss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What a surface is made with: its own draws, the wall's colour, pixels a unit at distance 1."""

    rng: np.random.Generator
    wall: Colour
    shown_px: float


def linear(colour: str) -> Colour:
    """A colour such as `#a0b0c0` as it is computed with: squared, which is near enough to sRGB's curve and exact everywhere."""
    levels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], np.float32) / 255
    return np.asarray(levels * levels, np.float32)


def _between(share: Plane, low: Colour, high: Colour) -> npt.NDArray[np.float32]:
    mixed: npt.NDArray[np.float32] = low + (high - low) * share[..., None]
    return mixed


def _wood(ground: Ground, making: Making) -> Surface:
    """Boards from left to right, each with its own tone; grain is noise drawn out along the board."""
    rng = making.rng
    pale, dark = ((linear("#d9b382"), linear("#b98a58")), (linear("#b07a48"), linear("#84542c")))[
        int(rng.random() < 0.5)
    ]
    tone, grain, fine = Noise(rng), Noise(rng), Noise(rng)
    board = ground.z_h / (0.30 + 0.15 * float(rng.random()))
    which = np.floor(board).astype(np.float32)
    inside = board - which
    offset = which[:, None] * 7.3 + ground.x_hw
    share = 0.5 + 0.22 * tone.at(which * 3, offset * 0.3 + 11)
    share = share + 0.30 * grain.at(ground.z_h * 16, offset * 1.3) * ground.detail(16, making.shown_px)
    share = share + 0.18 * fine.at(ground.z_h * 70, offset * 4) * ground.detail(70, making.shown_px)
    albedo = _between(np.clip(share, 0, 1).astype(np.float32), dark, pale)
    gap = (1 - ramp(np.minimum(inside, 1 - inside), 0.0, 0.05)) * ground.detail(12, making.shown_px)[:, 0]
    return Surface(albedo_hwc=albedo * (1 - 0.45 * gap)[:, None, None], gloss=0.10)


def _marble(ground: Ground, making: Making) -> Surface:
    """White, with veins where noise bent by noise passes through zero."""
    rng = making.rng
    cloud, bend, vein, thin, fading = Noise(rng), Noise(rng), Noise(rng), Noise(rng), Noise(rng)
    slant = np.float32(0.9 if rng.random() < 0.5 else -0.9)
    x = ground.x_hw + slant * ground.z_h[:, None]
    bent = x + 0.35 * bend.at(ground.z_h * 1.8, ground.x_hw * 1.8) + 0.10 * bend.at(ground.z_h * 6, x * 6)
    there = ramp(fading.at(ground.z_h * 1.3, ground.x_hw * 1.3), -0.5, 0.5)
    halo = 1 - ramp(np.abs(vein.at(ground.z_h * 0.35, bent * 1.9)), 0.0, 0.45)
    wide = 1 - ramp(np.abs(vein.at(ground.z_h * 0.35, bent * 1.9)), 0.0, 0.10)
    narrow = 1 - ramp(np.abs(thin.at(ground.z_h * 0.8 + 9, bent * 3.6)), 0.0, 0.07)
    grey = 0.10 + 0.08 * cloud.at(ground.z_h * 1.2, x * 1.2) + (0.22 * halo + 0.40 * wide) * there
    grey = grey + 0.25 * narrow * (1 - 0.7 * there) * ground.detail(6, making.shown_px)
    albedo = _between(np.clip(grey, 0, 1).astype(np.float32), linear("#f4f3f1"), linear("#a3a6ab"))
    return Surface(albedo_hwc=albedo, gloss=0.30)


def _stone(ground: Ground, making: Making) -> Surface:
    """Dark slate: clouds, grains, some pale scratches."""
    rng = making.rng
    cloud, grain, fine, bend = Noise(rng), Noise(rng), Noise(rng), Noise(rng)
    bent = ground.x_hw + 0.5 * bend.at(ground.z_h * 2, ground.x_hw * 2)
    share = 0.35 + 0.30 * cloud.at(ground.z_h * 2.2, bent * 1.6)
    share = share + 0.18 * grain.at(ground.z_h * 9, ground.x_hw * 9) * ground.detail(9, making.shown_px)
    share = share + 0.16 * fine.at(ground.z_h * 50, ground.x_hw * 50) * ground.detail(50, making.shown_px)
    scratch = 1 - ramp(np.abs(cloud.at(ground.z_h * 1.1 + 40, bent * 0.9 + ground.z_h[:, None])), 0.0, 0.05)
    share = share + 0.22 * scratch * ground.detail(8, making.shown_px)
    albedo = _between(np.clip(share, 0, 1).astype(np.float32), linear("#26282b"), linear("#62676c"))
    return Surface(albedo_hwc=albedo, gloss=0.22)


def _linen(ground: Ground, making: Making) -> Surface:
    """Undyed cloth: soft folds towards the viewer, and a weave where it can be seen."""
    rng = making.rng
    fold, ripple, thread = Noise(rng), Noise(rng), Noise(rng)
    lean = ground.x_hw + np.float32(0.5 * rng.random() - 0.25) * ground.z_h[:, None]
    share = 0.55 + 0.34 * fold.at(ground.z_h * 0.55, lean * 4.2)
    share = share + 0.14 * ripple.at(ground.z_h * 1.6, lean * 9) * ground.detail(9, making.shown_px)
    weave = ground.detail(90, making.shown_px)
    share = share + 0.10 * weave * (
        thread.at(ground.z_h * 90, lean * 8) + thread.at(ground.z_h * 8 + 50, lean * 90)
    )
    albedo = _between(np.clip(share, 0, 1).astype(np.float32), linear("#b7a588"), linear("#efe6d6"))
    return Surface(albedo_hwc=albedo, gloss=0.0)


def _plain(ground: Ground, making: Making) -> Surface:
    """Matte board in the wall's colour, a little lighter."""
    whiter = 0.16 + 0.10 * float(making.rng.random())
    colour = making.wall + (1 - making.wall) * np.float32(whiter)
    albedo = np.broadcast_to(colour, (*ground.x_hw.shape, 3)).astype(np.float32)
    return Surface(albedo_hwc=albedo, gloss=0.05)


SURFACES: Final[Mapping[Table, Callable[[Ground, Making], Surface]]] = {
    Table.WOOD: _wood,
    Table.MARBLE: _marble,
    Table.STONE: _stone,
    Table.LINEN: _linen,
    Table.PLAIN: _plain,
}
