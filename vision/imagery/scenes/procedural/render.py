"""A studio and a seed to pixels, at any size.

Each pixel is a function of where it lies and of the seed's few draws, so a scene is drawn in strips: the memory does not grow with its height.
Small scenes are drawn at twice their size and averaged, or edges would stand in steps.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from vision.image import Pixels
from vision.imagery.brief import Light
from vision.imagery.look import Wall
from vision.imagery.scenes.procedural.noise import Noise, Plane, ramp
from vision.imagery.scenes.procedural.studio import Depth, Softness, Studio
from vision.imagery.scenes.procedural.surfaces import SURFACES, Colour, Ground, Making, Surface, linear

_STRIP: Final = 256  # rows
_FINE_BELOW_PX: Final = 256
_PALETTE: Final = {
    Wall.WHITE: "#f1f0ee",
    Wall.GREY: "#a9abad",
    Wall.CHARCOAL: "#43454a",
    Wall.BEIGE: "#dcc9ab",
    Wall.RED: "#b0393d",
    Wall.ORANGE: "#db8548",
    Wall.YELLOW: "#ecc94e",
    Wall.GREEN: "#7da06f",
    Wall.TEAL: "#3a8f8c",
    Wall.BLUE: "#5580b5",
    Wall.PURPLE: "#8a6bb0",
    Wall.PINK: "#e9a7b4",
}

_Rgb = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draws:
    """What the seed decides beside the surface's own draws."""

    wall: Colour
    bright: float
    falloff: float
    vignette: float
    edge: float
    window_xy: tuple[float, float]
    window_slant: float

    @classmethod
    def of(cls, studio: Studio, rng: np.random.Generator) -> "_Draws":
        """Draws in a fixed order, whatever the studio: one seed's scenes resemble each other."""
        shade, tint, bright, falloff, vignette, edge, along, up, slant = rng.random(9)
        tints = rng.random(3, np.float32)
        colour = linear(_PALETTE[studio.wall]) * np.float32(0.90 + 0.20 * shade)
        colour = np.clip(colour * (1 + np.float32(0.08 * tint) * (tints * 2 - 1)), 0.01, 0.97)
        hard = studio.softness is Softness.HARD
        return cls(
            wall=colour.astype(np.float32),
            bright=0.98 + 0.10 * float(bright),
            falloff=(0.85 if hard else 0.55) + 0.25 * float(falloff),
            vignette=0.06 + 0.14 * float(vignette),
            edge=0.016 + 0.012 * float(edge) if studio.depth is Depth.BLURRED else 0.003,
            window_xy=(0.02 + 0.20 * float(along), 0.30 + 0.2 * float(up)),
            window_slant=0.35 + 0.35 * float(slant),
        )


def render(studio: Studio, size_wh: tuple[int, int], seed: int) -> Pixels:
    """Draw a studio; uint8 (H, W, 3) sRGB. The same arguments give the same pixels, and other sizes the same scene."""
    width, height = size_wh
    fine = 2 if min(size_wh) <= _FINE_BELOW_PX else 1
    strips = [
        _strip(studio, seed, (width * fine, height * fine), first, fine)
        for first in range(0, height * fine, _STRIP * fine)
    ]
    return np.concatenate(strips)


def _strip(studio: Studio, seed: int, size_wh: tuple[int, int], first: int, fine: int) -> Pixels:
    """The rows from `first` on; the draws begin anew for each strip, and so are the same for all."""
    width, height = size_wh
    rng = np.random.default_rng([seed, 0x5CE7E])
    draws = _Draws.of(studio, rng)
    rows = np.arange(first, min(first + _STRIP * fine, height))
    v_h = ((rows + 0.5) / height).astype(np.float32)
    x_w = (((np.arange(width) + 0.5) / width - 0.5) * (width / height)).astype(np.float32)
    mottle = Noise(rng)
    scene = _wall(studio, draws, mottle, v_h, x_w)
    below = v_h > studio.horizon - 2 * draws.edge - 2 / height
    if below.any():
        table = _table(studio, draws, rng, v_h[below], x_w, height)
        edge = max(draws.edge, 0.75 / height)
        covered = ramp(v_h[below], studio.horizon - edge, studio.horizon + edge)[:, None, None]
        scene[below] += (table - scene[below]) * covered
    away = (x_w / x_w[-1]) ** 2 if width > 1 else np.zeros_like(x_w)
    scene *= (1 - draws.vignette * 0.5 * (away[None, :] + ((v_h - 0.5) * 2)[:, None] ** 2))[..., None]
    return _encoded(scene, fine, np.random.default_rng([seed, first // fine]))


def _wall(studio: Studio, draws: _Draws, mottle: Noise, v_h: Plane, x_w: Plane) -> _Rgb:
    x_hw = np.broadcast_to(x_w, (len(v_h), len(x_w)))
    lit = _lit(studio, draws, v_h, x_w)
    if studio.softness is Softness.HARD:
        lit = lit * (0.80 + 0.45 * _window(studio, draws, v_h, x_w))
    lit = lit * (1 + 0.02 * mottle.at(v_h * 3, x_hw * 3))
    near_edge = ramp(v_h, studio.horizon - 0.22, studio.horizon)[:, None]
    shaded = lit * (1 - 0.14 * near_edge)  # the table takes light from the wall's foot
    return np.asarray(shaded[..., None] * draws.wall, np.float32)


def _lit(studio: Studio, draws: _Draws, v_h: Plane, x_w: Plane) -> Plane:
    """How much light falls on each point: a lamp's pool, wide to one side, round from above."""
    half = float(x_w[-1])
    if studio.light is Light.ABOVE:
        distance = (x_w / (half * 1.05))[None, :] ** 2 + ((v_h + 0.05) / 0.95)[:, None] ** 2
        pool = 1 / (1 + draws.falloff * 2.4 * distance)
        return np.asarray(draws.bright * (0.42 + 0.66 * pool), np.float32)
    side = -1 if studio.light is Light.LEFT else 1
    along = (1 - side * x_w / half) / 2  # 0 at the lamp's side, 1 across
    distance = along[None, :] * 1.3 + ((v_h - 0.3) / 1.6)[:, None] ** 2
    pool = 1 / (1 + draws.falloff * 1.9 * distance)
    return np.asarray(draws.bright * (0.30 + 0.80 * pool), np.float32)


def _window(studio: Studio, draws: _Draws, v_h: Plane, x_w: Plane) -> Plane:
    """A window's light on the wall, 0 to 1: a slanted frame with one bar; from above, a cone."""
    along, up = draws.window_xy
    half = float(x_w[-1])
    v = v_h[:, None]
    if studio.light is Light.ABOVE:
        opening = half * (0.35 + 0.75 * v)
        return 1 - ramp(np.abs(x_w)[None, :] / opening, 0.75, 1.15)
    side = -1 if studio.light is Light.LEFT else 1
    x = side * x_w[None, :] / half + along + draws.window_slant * (v - up)  # in the window's own frame
    frame = (1 - ramp(np.abs(x - 0.25), 0.33, 0.46)) * (1 - ramp(np.abs(v - up), 0.23, 0.32))
    bar = 1 - ramp(np.abs(x - 0.25), 0.015, 0.07)
    pane: Plane = frame * (1 - 0.75 * bar)
    return pane


def _table(
    studio: Studio, draws: _Draws, rng: np.random.Generator, v_h: Plane, x_w: Plane, height: int
) -> _Rgb:
    down = np.clip((v_h - studio.horizon) / (1 - studio.horizon), 0, 1).astype(np.float32)
    z_h = (1 / (down * (1 - studio.horizon) * 1.6 + 0.25)).astype(np.float32)
    blurred = studio.depth is Depth.BLURRED
    sharp_h = ramp(down, 0.0, 0.75) * np.float32(0.9) if blurred else np.ones_like(down)
    ground = Ground(z_h=z_h, x_hw=x_w[None, :] * z_h[:, None], sharp_h=sharp_h)
    surface = SURFACES[studio.table](ground, Making(rng=rng, wall=draws.wall, shown_px=float(height)))
    lit = _lit(studio, draws, (v_h * 0.5).astype(np.float32), x_w)
    lit = lit * (0.80 + 0.24 * ramp(down, 0.0, 0.6))[:, None]
    lit = lit * (1 - 0.30 * (1 - ramp(down, 0.0, 0.10)))[:, None]  # little light gets into the corner
    return _mirrored(surface, draws, down, lit)


def _mirrored(surface: Surface, draws: _Draws, down: Plane, lit: Plane) -> _Rgb:
    """The surface lit, with the wall mirrored in it, more towards the far edge (Schlick's approximation, roughly)."""
    share = (surface.gloss * (0.25 + 0.75 * (1 - down) ** 3)).astype(np.float32)[:, None, None]
    shown = surface.albedo_hwc * (1 - share) + draws.wall * share
    return np.asarray(shown * lit[..., None], np.float32)


def _encoded(scene: _Rgb, fine: int, rng: np.random.Generator) -> Pixels:
    """Linear light to bytes, with a half level of noise so that slow ramps show no bands."""
    levels = np.sqrt(np.clip(_shouldered(scene), 0, 1)) * 255
    if fine > 1:
        size = (levels.shape[1] // fine, levels.shape[0] // fine)
        levels = np.asarray(cv2.resize(levels, size, interpolation=cv2.INTER_AREA), np.float32)
    grain = rng.random(levels.shape[:2], np.float32)[..., None]
    return np.clip(np.floor(levels + grain), 0, 255).astype(np.uint8)


def _shouldered(scene: _Rgb) -> _Rgb:
    """Bright parts bend towards white rather than clip: above 0.7 the rest is compressed into the last 0.3."""
    over = np.maximum(scene - 0.7, 0)
    bent: _Rgb = np.minimum(scene, 0.7) + over / (1 + over / 0.3)
    return bent
