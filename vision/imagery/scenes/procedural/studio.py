"""What words can say of a studio: wall, table, light, depth, horizon; and studios drawn by lot.

It knows no words (`lexicon`) and no pixels (`render`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

import numpy as np

from vision.imagery.brief import Layout, Light
from vision.imagery.look import Table, Wall


class Softness(StrEnum):
    """Of the light: a large diffuser, or a bare lamp that throws the window's shape on the wall."""

    SOFT = "soft"
    HARD = "hard"


class Depth(StrEnum):
    """Of field: whether the far edge and what lies there is blurred."""

    BLURRED = "blurred"
    SHARP = "sharp"


# Where a photographer sets the table's edge when nobody says.
HORIZONS: Final = (0.52, 0.68)
_NEUTRAL_WALLS: Final = (Wall.WHITE, Wall.GREY, Wall.BEIGE)
_NEUTRAL_TABLES: Final = (Table.PLAIN, Table.WOOD, Table.MARBLE)

_Choice = TypeVar("_Choice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """A studio, as far as words describe one.

    Attributes:
        horizon: where the table's far edge meets the wall, as a share of the height from the top; 0.2 to 0.9.
    """

    wall: Wall
    table: Table
    light: Light
    softness: Softness
    depth: Depth
    horizon: float

    @property
    def layout(self) -> Layout:
        """The part of it that a composition follows."""
        return Layout(horizon=self.horizon, light=self.light)


def any_studio(rng: np.random.Generator) -> Studio:
    """A studio drawn by lot: every wall, table and light equally often, horizons over their whole range, most near the middle."""
    return Studio(
        wall=_one(rng, tuple(Wall)),
        table=_one(rng, tuple(Table)),
        light=_one(rng, tuple(Light)),
        softness=Softness.SOFT if rng.random() < 0.7 else Softness.HARD,
        depth=_one(rng, tuple(Depth)),
        horizon=round(0.2 + 0.7 * (0.3 * float(rng.random()) + 0.7 * float(rng.random(3).mean())), 2),
    )


def quiet_studio(seed: int) -> Studio:
    """What stands in for words that are not there: a neutral studio, another one for another seed."""
    rng = np.random.default_rng([seed, 0x57])
    low, high = HORIZONS
    return Studio(
        wall=_one(rng, _NEUTRAL_WALLS),
        table=_one(rng, _NEUTRAL_TABLES),
        light=Light.LEFT if rng.random() < 0.5 else Light.RIGHT,
        softness=Softness.SOFT,
        depth=Depth.BLURRED,
        horizon=round(low + (high - low) * float(rng.random()), 2),
    )


def _one(rng: np.random.Generator, choices: tuple[_Choice, ...]) -> _Choice:
    return choices[int(rng.random() * len(choices))]
