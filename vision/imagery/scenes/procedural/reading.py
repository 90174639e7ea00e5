"""Reads a studio back from a picture of one: horizon and light by rule, wall and table by classifiers fitted to drawn scenes.

It measures how well a model obeys, and tells the layout of scenes that nobody laid out. It has no say in how a scene is made.
"""

from dataclasses import dataclass
from typing import Final, Generic, Self, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from vision.image import Pixels
from vision.imagery.brief import Layout, Light
from vision.imagery.scenes.procedural.render import render
from vision.imagery.scenes.procedural.studio import Table, Wall, any_studio

_SIDE: Final = 64
_ABOVE: Final = 0.09  # |log(left / right)| below which light comes from neither side

_Class = TypeVar("_Class")
_Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a picture shows."""

    wall: Wall
    table: Table
    layout: Layout


def layout_of(image_hwc: Pixels) -> Layout:
    """The table's edge, as the strongest change between rows; the light's side, from the wall's brightness left and right.

    A picture without an edge has one all the same: the likeliest.
    """
    small, lab = _small(image_hwc)
    horizon = _horizon(lab)
    return Layout(horizon=round(min(max(horizon, 0.2), 0.9), 3), light=_light(small, horizon))


def _small(image_hwc: Pixels) -> tuple[_Vector, _Vector]:
    """Linear light and CIE Lab of the picture at 64 x 64; float64 (64, 64, 3)."""
    small = cv2.resize(image_hwc, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return np.asarray(small, np.float64) ** 2, np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.float64)


def _horizon(lab: _Vector) -> float:
    """By the median over columns of how the four rows above a place differ from the four below."""
    near = 4
    strengths = np.zeros(_SIDE + 1)
    for row in range(round(0.15 * _SIDE), round(0.94 * _SIDE)):
        above, below = lab[max(row - near, 0) : row], lab[row : row + near]
        step = np.median(
            below.mean(0) - above.mean(0), axis=0
        )  # over columns: veins and panes are not everywhere
        beside = np.median(lab[row] - lab[row - 1], axis=0)
        strengths[row] = float(np.linalg.norm(step)) + 0.5 * float(np.linalg.norm(beside))
    best = int(np.argmax(strengths))
    before, at, after = strengths[best - 1], strengths[best], strengths[min(best + 1, _SIDE)]
    bend = before - 2 * at + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(best + min(max(shift, -0.5), 0.5)) / _SIDE


def _light(small: _Vector, horizon: float) -> Light:
    rows = max(round(horizon * _SIDE) - 2, 4)
    wall = np.log(small[:rows].mean(2).mean(0) + 1e-4)
    table = np.log(small[rows + 4 :].mean(2).mean(0) + 1e-4) if rows + 8 < _SIDE else wall
    third = _SIDE // 3
    lean = float(
        np.mean([one[:third].mean() - one[-third:].mean() for one in (wall, table)])
    )  # the table speaks too: panes of light on the wall mislead
    if abs(lean) < _ABOVE:
        return Light.ABOVE
    return Light.LEFT if lean > 0 else Light.RIGHT


@dataclass(frozen=True, slots=True)
class _Gaussians(Generic[_Class]):
    """A normal distribution a class, its covariance half its own and half that of all (J. H. Friedman 1989, regularised discriminants)."""

    classes: tuple[_Class, ...]
    means: _Vector
    inverses: _Vector
    offsets: _Vector

    @classmethod
    def fitted(cls, classes: tuple[_Class, ...], samples: _Vector, labels: npt.NDArray[np.int64]) -> Self:
        groups = [samples[labels == number] for number in range(len(classes))]
        own = np.stack([np.cov(group, rowvar=False) for group in groups])
        spread = np.diag(samples.var(0) * 1e-3 + 1e-6)
        covariances = 0.5 * own + 0.5 * own.mean(0) + spread
        return cls(
            classes,
            np.stack([group.mean(0) for group in groups]),
            np.linalg.inv(covariances),
            -np.linalg.slogdet(covariances).logabsdet,
        )

    def of(self, sample: _Vector) -> _Class:
        away = sample - self.means
        scores = self.offsets - np.einsum("ci,cij,cj->c", away, self.inverses, away)
        return self.classes[int(np.argmax(scores))]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads walls and tables; `fitted` makes one in some seconds."""

    walls: _Gaussians[Wall]
    tables: _Gaussians[Table]

    @classmethod
    def fitted(cls, *, scenes: int = 3000, seed: int = 20_000) -> Self:
        """Learn from drawn scenes of 64 px; the default takes about ten seconds."""
        rng = np.random.default_rng(seed)
        walls, tables, wall_samples, table_samples = [], [], [], []
        for number in range(scenes):
            studio = any_studio(rng)
            of_wall, of_table, _ = _features(render(studio, (_SIDE, _SIDE), seed + number))
            wall_samples.append(of_wall)
            table_samples.append(of_table)
            walls.append(tuple(Wall).index(studio.wall))
            tables.append(tuple(Table).index(studio.table))
        return cls(
            _Gaussians.fitted(tuple(Wall), np.stack(wall_samples), np.array(walls)),
            _Gaussians.fitted(tuple(Table), np.stack(table_samples), np.array(tables)),
        )

    def read(self, image_hwc: Pixels) -> Read:
        """Read uint8 (H, W, 3) sRGB of any size."""
        of_wall, of_table, layout = _features(image_hwc)
        return Read(wall=self.walls.of(of_wall), table=self.tables.of(of_table), layout=layout)


def _features(image_hwc: Pixels) -> tuple[_Vector, _Vector, Layout]:
    """Of the wall and of the table, seen from the horizon that was found."""
    small, lab = _small(image_hwc)
    horizon = _horizon(lab)
    layout = Layout(horizon=round(min(max(horizon, 0.2), 0.9), 3), light=_light(small, horizon))
    edge = round(horizon * _SIDE)
    wall = lab[: max(edge - 4, 4)]
    table = lab[min(edge + 4, _SIDE - 4) :]
    chroma = np.linalg.norm(np.median(wall, axis=(0, 1))[1:])
    wall_look = np.concatenate(
        [np.median(wall, axis=(0, 1)), np.percentile(wall[..., 0], (10, 90)), [chroma]]
    )
    middle = np.median(table, axis=(0, 1))
    lightness = table[..., 0]
    rough = lightness - cv2.blur(lightness, (7, 7), borderType=cv2.BORDER_REFLECT)
    table_look = np.concatenate(
        [
            middle,
            middle - np.median(wall, axis=(0, 1)),
            [
                np.log(np.abs(np.diff(lightness, axis=0)).mean() + 0.05),
                np.log(np.abs(np.diff(lightness, axis=1)).mean() + 0.05),
                np.log(rough.std() + 0.05),
                np.log(table[..., 1].std() + table[..., 2].std() + 0.05),
            ],
        ]
    )
    return wall_look, table_look, layout
