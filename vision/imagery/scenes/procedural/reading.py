"""Reads a studio back from a picture of one: horizon and light by rule, wall and table by classifiers fitted to drawn scenes.

It measures how well a model obeys, tells the layout of scenes that nobody laid out, and the look of style pictures (`vision.imagery.style`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, Self, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from vision.image import Pixels
from vision.imagery.brief import Layout, Light
from vision.imagery.look import Table, Wall
from vision.imagery.scenes.procedural.render import render
from vision.imagery.scenes.procedural.studio import any_studio

_SIDE: Final = 64
_THIRD: Final = _SIDE // 3
_ABOVE: Final = 0.09  # |log(left / right)| below which light comes from neither side
_PARTS: Final = ("means", "inverses", "offsets")  # of classifiers, as they are kept

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
    return _layout(small, _horizon(_strengths(lab)))


def _layout(small: _Vector, horizon: float) -> Layout:
    lean = _lean(small, horizon)
    side = Light.LEFT if lean > 0 else Light.RIGHT
    light = Light.ABOVE if abs(lean) < _ABOVE else side
    return Layout(horizon=round(min(max(horizon, 0.2), 0.9), 3), light=light)


def _small(image_hwc: Pixels) -> tuple[_Vector, _Vector]:
    """Linear light and CIE Lab of the picture at 64 x 64; float64 (64, 64, 3)."""
    small = cv2.resize(image_hwc, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return np.asarray(small, np.float64) ** 2, np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.float64)


def _strengths(lab: _Vector) -> _Vector:
    """Of the change at each row, (65,): the median over columns of how the four rows above differ from the four below."""
    near = 4
    strengths = np.zeros(_SIDE + 1)
    for row in range(round(0.15 * _SIDE), round(0.94 * _SIDE)):
        above, below = lab[max(row - near, 0) : row], lab[row : row + near]
        step = np.median(
            below.mean(0) - above.mean(0), axis=0
        )  # over columns: veins and panes are not everywhere
        beside = np.median(lab[row] - lab[row - 1], axis=0)
        strengths[row] = float(np.linalg.norm(step)) + 0.5 * float(np.linalg.norm(beside))
    return strengths


def _horizon(strengths: _Vector) -> float:
    best = int(np.argmax(strengths))
    before, at, after = strengths[best - 1], strengths[best], strengths[min(best + 1, _SIDE)]
    bend = before - 2 * at + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(best + min(max(shift, -0.5), 0.5)) / _SIDE


def _lean(small: _Vector, horizon: float) -> float:
    """log(left / right) of the light, above 0 where the left is brighter."""
    rows = max(round(horizon * _SIDE) - 2, 4)
    wall = np.log(small[:rows].mean(2).mean(0) + 1e-4)
    table = np.log(small[rows + 4 :].mean(2).mean(0) + 1e-4) if rows + 8 < _SIDE else wall
    return float(
        np.mean([one[:_THIRD].mean() - one[-_THIRD:].mean() for one in (wall, table)])
    )  # the table speaks too: panes of light on the wall mislead


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

    def of(self, sample: _Vector) -> tuple[_Class, float]:
        """The likeliest class, and how far from its mean the sample is: squared, in its deviations (P. C. Mahalanobis 1936)."""
        away = sample - self.means
        distances = np.einsum("ci,cij,cj->c", away, self.inverses, away)
        best = int(np.argmax(self.offsets - distances))
        return self.classes[best], float(distances[best])


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How plainly a picture shows what `Reader.read` says of it.

    Attributes:
        edge: strength of the change at the far edge, about the distance in CIE Lab between the two sides; `edge_over_rest`: over the median row's.
        colours: 90th percentile of how far the wall's pixels are from their median in a and b; `shades`: from the 10th to the 90th of L.
        table: how far the table is from the material's mean, squared, in its deviations.
        lean: log(left / right) of the light; `pool`: log(middle / sides) of the wall's.
    """

    edge: float
    edge_over_rest: float
    colours: float
    shades: float
    table: float
    lean: float
    pool: float


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads walls and tables; `fitted` makes one in half a minute, `load` at once."""

    walls: _Gaussians[Wall]
    tables: _Gaussians[Table]

    @classmethod
    def fitted(
        cls, *, scenes: int = 3000, seed: int = 20_000, seen: Callable[[Pixels], Pixels] | None = None
    ) -> Self:
        """Learn from drawn scenes of 64 px.

        Args:
            seen: what of a picture is looked at, in the lesson; whoever reads applies it, too. All of it where absent.
        """
        rng = np.random.default_rng(seed)
        walls, tables, wall_samples, table_samples = [], [], [], []
        for number in range(scenes):
            studio = any_studio(rng)
            image_hwc = render(studio, (_SIDE, _SIDE), seed + number)
            _, lab = _small(image_hwc if seen is None else seen(image_hwc))
            of_wall, of_table = _features(lab, _horizon(_strengths(lab)))
            wall_samples.append(of_wall)
            table_samples.append(of_table)
            walls.append(tuple(Wall).index(studio.wall))
            tables.append(tuple(Table).index(studio.table))
        return cls(
            _Gaussians.fitted(tuple(Wall), np.stack(wall_samples), np.array(walls)),
            _Gaussians.fitted(tuple(Table), np.stack(table_samples), np.array(tables)),
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """One that `save` wrote."""
        with np.load(path, allow_pickle=False) as kept:
            parts = [[kept[f"{of}_{name}"] for name in _PARTS] for of in ("walls", "tables")]
        return cls(_Gaussians(tuple(Wall), *parts[0]), _Gaussians(tuple(Table), *parts[1]))

    def save(self, path: Path) -> None:
        """As an npz file, which is the same everywhere."""
        arrays = {
            f"{of}_{name}": getattr(group, name)
            for of, group in (("walls", self.walls), ("tables", self.tables))
            for name in _PARTS
        }
        np.savez(path, allow_pickle=False, **arrays)

    def read(self, image_hwc: Pixels) -> Read:
        """Read uint8 (H, W, 3) sRGB of any size."""
        return self.weigh(image_hwc)[0]

    def weigh(self, image_hwc: Pixels) -> tuple[Read, Evidence]:
        """Read uint8 (H, W, 3) sRGB of any size, and say how plain it is."""
        small, lab = _small(image_hwc)
        strengths = _strengths(lab)
        horizon = _horizon(strengths)
        of_wall, of_table = _features(lab, horizon)
        table, away = self.tables.of(of_table)
        read = Read(wall=self.walls.of(of_wall)[0], table=table, layout=_layout(small, horizon))
        return read, _evidence(small, lab, strengths, away)


def _evidence(small: _Vector, lab: _Vector, strengths: _Vector, table: float) -> Evidence:
    horizon = _horizon(strengths)
    wall = _wall(lab, horizon)
    coloured = np.linalg.norm(wall[..., 1:] - np.median(wall, axis=(0, 1))[1:], axis=-1)
    low, high = np.percentile(wall[..., 0], (10, 90))
    bright = np.log(small[: len(wall)].mean(2).mean(0) + 1e-4)
    usual = float(np.median(strengths[strengths > 0])) if strengths.any() else 0.0
    return Evidence(
        edge=float(strengths.max()),
        edge_over_rest=float(strengths.max()) / max(usual, 1e-3),
        colours=float(np.percentile(coloured, 90)),
        shades=float(high - low),
        table=table,
        lean=_lean(small, horizon),
        pool=float(bright[_THIRD:-_THIRD].mean() - (bright[:_THIRD].mean() + bright[-_THIRD:].mean()) / 2),
    )


def _wall(lab: _Vector, horizon: float) -> _Vector:
    return lab[: max(round(horizon * _SIDE) - 4, 4)]


def _features(lab: _Vector, horizon: float) -> tuple[_Vector, _Vector]:
    """Of the wall and of the table, on either side of the horizon that was found."""
    edge = round(horizon * _SIDE)
    wall = _wall(lab, horizon)
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
    return wall_look, table_look
