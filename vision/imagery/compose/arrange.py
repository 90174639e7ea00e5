"""Where a product goes, from the numbers of a rule set: filling the frame as asked, centred, or standing on a table.

Takes a cut-out, what share of the frame it has to fill, and the layout as far as it is given; gives the placement and the layout that
the scene has to be made with. It makes no pixels.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from vision.errors import ImageryError
from vision.imagery.brief import Layout
from vision.imagery.compose.place import Product, product_box
from vision.imagery.placement import Placement

MOST_ENLARGED: Final = 1.5
# The shares below are of the frame's height, and a designer's usual ones.
_ROOM: Final = 0.94  # of each side at most
_LOWEST: Final = 0.97  # where a product's foot may stand
_LOWERED: Final = 0.03  # below the middle, as it stands and does not float
_OF_CENTRE: Final = 0.6  # of what the rules allow for that
_IN_FRONT: Final = 0.06  # of the table's far edge, at least
_TABLE: Final = 0.2  # behind its foot, where the table's far edge may be chosen
_SLACK: Final = 0.01  # above the least share, so that no measure finds it just below


class Numbers(Protocol):
    """How a product stands in the frame, such as a rule set's `Framing`. What it fills is its box's longest side as a share of the frame's longest side."""

    @property
    def fill_low(self) -> float:
        """At least."""
        ...

    @property
    def fill_target(self) -> float:
        """At best."""
        ...

    @property
    def centre(self) -> float:
        """How far its middle may be from the frame's, as a share of the frame's side."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """A product's place and the layout of the scene for it.

    Attributes:
        warnings: what a designer should know of it.
    """

    placement: Placement
    layout: Layout
    warnings: tuple[str, ...] = ()


def arrange(
    product: Product,
    numbers: Numbers,
    frame_wh: tuple[int, int],
    layout: Layout,
    *,
    table: bool = True,
    horizon: float | None = None,
) -> Arrangement:
    """Place a product upright.

    It fills the target's share, or less down to the least one where that spares it from being enlarged.

    Args:
        table: stand it on one, a little below the middle; the far edge is chosen where the layout leaves it open. Else it is centred.
        horizon: where that edge would best be, where the layout leaves it open: there, or as far down as the product still stands before it.

    Raises:
        ImageryError: it would have to be enlarged beyond 1.5; the message says which photo would do.
    """
    left, top, right, bottom = product_box(product.alpha_hw)
    size_wh = right - left, bottom - top
    target, least = (
        _scale(size_wh, frame_wh, share)
        for share in (numbers.fill_target, min(numbers.fill_low + _SLACK, numbers.fill_target))
    )
    scale = max(min(target, 1.0), least)
    if scale > MOST_ENLARGED:
        raise ImageryError(_too_small(product, size_wh, frame_wh, scale))
    warnings: tuple[str, ...] = ()
    if scale > 1.0:
        warnings = (
            f"product: enlarged {scale:.2f} times to {_ceil(max(size_wh) * scale)} px: it will look softer than its photo",
        )
    width, height = frame_wh
    foot = (height + size_wh[1] * scale) / 2
    if table:
        lowered = min(_LOWERED, _OF_CENTRE * numbers.centre)
        foot, layout = _on_table(foot + lowered * height, height, layout, horizon)
    placement = Placement(
        frame_wh=frame_wh, scale=scale, centre_xy=(width / 2, foot - size_wh[1] * scale / 2)
    )
    return Arrangement(placement=placement, layout=layout, warnings=warnings)


def _scale(size_wh: tuple[int, int], frame_wh: tuple[int, int], share: float) -> float:
    """What fills the share, kept within the frame on either side."""
    limits = (_ROOM * frame / size for frame, size in zip(frame_wh, size_wh, strict=True))
    return min(share * max(frame_wh) / max(size_wh), *limits)


def _on_table(foot: float, height: int, layout: Layout, wanted: float | None) -> tuple[float, Layout]:
    """Where its foot stands, in pixels from the top, and the layout with its horizon."""
    if layout.horizon is not None:
        foot = max(foot, (layout.horizon + _IN_FRONT) * height)
    foot = min(foot, _LOWEST * height)
    if layout.horizon is None:
        chosen = foot / height - _TABLE if wanted is None else min(wanted, foot / height - _IN_FRONT)
        horizon = min(max(chosen, 0.2), 0.9)
        layout = layout.model_copy(update={"horizon": round(horizon, 3)})
    return foot, layout


def _too_small(product: Product, size_wh: tuple[int, int], frame_wh: tuple[int, int], scale: float) -> str:
    height, width = product.alpha_hw.shape
    enough, needed = scale / MOST_ENLARGED, _ceil(max(size_wh) * scale / MOST_ENLARGED)
    return (
        f"product: expected at least {needed} px on its longest side for a frame of {frame_wh[0]}x{frame_wh[1]}, "
        f"found {max(size_wh)} px in a photo of {width}x{height}; a photo of {_ceil(width * enough)}x{_ceil(height * enough)} "
        f"taken alike would do, or a frame of {int(frame_wh[0] / enough)}x{int(frame_wh[1] / enough)}"
    )


def _ceil(value: float) -> int:
    return int(-(-value // 1))
