"""The few glyphs that labels are written with, as strokes drawn for them: no font with Chinese glyphs can be counted on where this runs.

A glyph is as wide as it says and 100 high, y downwards; each stroke is a line through its points.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

Stroke: TypeAlias = tuple[tuple[float, float], ...]

HEIGHT: Final = 100.0


@dataclass(frozen=True, slots=True)
class Glyph:
    width: float
    strokes: tuple[Stroke, ...]


GLYPHS: Final = {
    " ": Glyph(26, ()),
    "A": Glyph(60, (((0, 100), (30, 0), (60, 100)), ((11, 65), (49, 65)))),
    "D": Glyph(
        54,
        (((0, 0), (24, 0), (40, 6), (50, 20), (54, 40), (54, 60), (50, 80), (40, 94), (24, 100), (0, 100), (0, 0)),),
    ),
    "E": Glyph(48, (((48, 0), (0, 0), (0, 100), (48, 100)), ((0, 48), (42, 48)))),
    "G": Glyph(
        58,
        (
            (
                (56, 20), (46, 5), (30, 0), (15, 5), (4, 20), (0, 42), (0, 58), (4, 80), (15, 95), (30, 100), (46, 95),
                (56, 81), (58, 55), (34, 55),
            ),
        ),
    ),
    "I": Glyph(0, (((0, 0), (0, 100)),)),
    "N": Glyph(54, (((0, 100), (0, 0), (54, 100), (54, 0)),)),
    "R": Glyph(
        52,
        (((0, 100), (0, 0), (30, 0), (44, 6), (50, 18), (50, 34), (44, 46), (30, 52), (0, 52)), ((28, 52), (52, 100))),
    ),
    "T": Glyph(56, (((0, 0), (56, 0)), ((28, 0), (28, 100)))),
    "生": Glyph(
        100,
        (
            ((26, 3), (19, 24), (6, 44)),
            ((20, 26), (92, 26)),
            ((17, 60), (86, 60)),
            ((2, 98), (98, 98)),
            ((52, 0), (52, 98)),
        ),
    ),
    "成": Glyph(
        100,
        (
            ((18, 23), (95, 23)),
            ((18, 23), (18, 52), (14, 78), (3, 99)),
            ((18, 51), (47, 51), (46, 76), (42, 84), (28, 82)),
            ((57, 0), (60, 33), (69, 64), (81, 88), (90, 97), (96, 78)),
            ((88, 39), (77, 62), (62, 80), (45, 94)),
            ((71, 2), (86, 13)),
        ),
    ),
}  # fmt: skip
