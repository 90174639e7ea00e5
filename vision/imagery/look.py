"""Walls and tables as our generators know them, and what of a style picture's look can be told with them.

Of the picture itself there is nothing in a look. `vision.imagery.style` reads it.
"""

from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from vision.imagery.brief import Light


class Wall(StrEnum):
    """The wall's colour."""

    WHITE = "white"
    GREY = "grey"
    CHARCOAL = "charcoal"
    BEIGE = "beige"
    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    GREEN = "green"
    TEAL = "teal"
    BLUE = "blue"
    PURPLE = "purple"
    PINK = "pink"


class Table(StrEnum):
    """What the table is made of; `PLAIN` is matte and takes its colour from the wall."""

    WOOD = "wood"
    MARBLE = "marble"
    STONE = "stone"
    LINEN = "linen"
    PLAIN = "plain"


READ: Final = ("wall", "table", "light", "horizon")


class Look(BaseModel):
    """A look, as far as a picture tells it.

    Attributes:
        horizon: where the table's far edge meets the wall, as a share of the height from the top.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    wall: Wall | None = None
    table: Table | None = None
    light: Light | None = None
    horizon: float | None = Field(default=None, ge=0.2, le=0.9)

    @property
    def said(self) -> dict[str, Any]:
        """What could be told, by the names of a studio's fields."""
        return {name: value for name in READ if (value := getattr(self, name)) is not None}
