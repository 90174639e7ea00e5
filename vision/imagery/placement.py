"""Where a product stands in the frame, in numbers: enough to place it again from its photo, bit for bit."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Placement(BaseModel):
    """The transform from a cut-out to the frame: scaled, turned about its middle, moved.

    Attributes:
        frame_wh: of the master, in pixels.
        scale: frame pixels a photo pixel; above 1 the product is enlarged, above 1.5 it is refused.
        degrees: clockwise.
        centre_xy: of the product's box, in frame pixels from the left upper corner.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    frame_wh: tuple[int, int]
    scale: float = Field(gt=0.0, le=1.5)
    degrees: float = Field(default=0.0, gt=-180.0, le=180.0)
    centre_xy: tuple[float, float]

    @model_validator(mode="after")
    def _inside(self) -> Self:
        for found, limit, side in zip(self.centre_xy, self.frame_wh, ("x", "y"), strict=True):
            if not 0.0 <= found <= limit:
                raise ValueError(f"centre {side}: expected 0 to {limit}, found {found}")
        return self
