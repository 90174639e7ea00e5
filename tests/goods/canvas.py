"""A canvas of soft shapes, and the light, print and texture that goods are drawn with."""

from collections.abc import Sequence
from typing import Final, TypeAlias, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from vision.image import Pixels

Plane: TypeAlias = npt.NDArray[np.float32]
Colour: TypeAlias = tuple[float, float, float] | Plane
Points: TypeAlias = Sequence[tuple[float, float]]
Foot: TypeAlias = tuple[float, float, float]  # where a product stands: left, right and height
Thing = TypeVar("Thing")

BRANDS: Final = ("NORDKAP", "LUMEN", "ATELIER 9", "Field & Fern", "KUMO", "Solstice", "HARBOR", "mono.")
INKS: Final = (
    (0.78, 0.16, 0.14),
    (0.10, 0.28, 0.52),
    (0.12, 0.38, 0.26),
    (0.83, 0.54, 0.12),
    (0.36, 0.20, 0.42),
)
PAPERS: Final = ((0.95, 0.93, 0.88), (0.90, 0.92, 0.94), (0.93, 0.86, 0.80), (0.86, 0.91, 0.87))
WORDS: Final = (
    "hand made in small batches",
    "No. 27 / 350 ml",
    "keep dry, keep calm",
    "since 1987",
    "1,200 g net",
)


class Canvas:
    """What is drawn so far, premultiplied, over coordinates in which a product spans -1 to 1, y downwards."""

    def __init__(self, side: int, *, scale: float, shift: tuple[float, float]) -> None:
        axis = (np.arange(side, dtype=np.float32) + np.float32(0.5)) * np.float32(2 / side) - 1
        self.side, self.scale, self.shift = side, scale, shift
        self.finer = 4 if side <= 2048 else 2  # times as fine outlines are drawn, for their soft edge
        self.x, self.y = np.meshgrid((axis - shift[0]) / scale, (axis - shift[1]) / scale)
        self.pixel = 2 / side / scale
        self.colour = np.zeros((side, side, 3), np.float32)
        self.alpha = np.zeros((side, side), np.float32)

    def paint(self, cover: Plane, colour: Colour) -> None:
        """Lay a colour over what is there; `cover` 0 to 1."""
        left, top, width, height = cv2.boundingRect((cover > 0).astype(np.uint8))
        here = np.s_[top : top + height, left : left + width]
        part, over = cover[here], np.asarray(colour, np.float32)
        over = over[here] if over.ndim == 3 else over
        self.colour[here] += (over - self.colour[here]) * part[..., None]
        self.alpha[here] += (1 - self.alpha[here]) * part

    def shade(self, cover: Plane, factor: float | Plane) -> None:
        """Multiply what is there."""
        self.colour *= (1 + (np.asarray(factor, np.float32) - 1) * cover)[..., None]

    def inside(self, distance: Plane) -> Plane:
        """The cover of a signed distance in product units, negative inside."""
        return np.asarray(np.clip(0.5 - distance / np.float32(self.pixel), 0, 1), np.float32)

    def pixels(self, points: Points) -> Plane:
        """Points (N, 2) in pixels, of which (0, 0) is the left upper corner's outside."""
        placed = np.asarray(points, np.float32) * self.scale + np.asarray(self.shift, np.float32)
        return ((placed + 1) * (self.side / 2)).astype(np.float32)

    def outline(self, points: Points) -> Plane:
        """The cover of a polygon."""
        fine = self._fine()
        cv2.fillPoly(fine, [self._fine_points(points)], 255, shift=4)
        return self._soft(fine)

    def strokes(self, lines: Sequence[Points], width: float) -> Plane:
        """The cover of lines of that width in product units."""
        fine, thick = self._fine(), max(1, round(width / self.pixel * self.finer))
        at = [self._fine_points(line) for line in lines]
        cv2.polylines(fine, at, isClosed=False, color=255, thickness=thick, shift=4)
        return self._soft(fine)

    def _fine(self) -> Pixels:
        return np.zeros((self.side * self.finer, self.side * self.finer), np.uint8)

    def _fine_points(self, points: Points) -> npt.NDArray[np.int32]:
        return np.asarray(np.rint((self.pixels(points) * self.finer - 0.5) * 16), np.int32)

    def _soft(self, fine: Pixels) -> Plane:
        small = cv2.resize(fine, (self.side, self.side), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32) / np.float32(255)

    def face(self, corners: Points, texture: Plane) -> Plane:
        """A texture (h, w, 3) seen in the quadrilateral of these corners, clockwise from its left upper one."""
        height, width = texture.shape[:2]
        flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        turn = cv2.getPerspectiveTransform(flat - 0.5, self.pixels(corners) - 0.5)
        seen = cv2.warpPerspective(
            texture, turn, (self.side, self.side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return seen.astype(np.float32)

    def wrapped(self, texture: Plane, across: Plane, down: Plane, *, turn: float) -> Plane:
        """A texture around a body of revolution; `across` -1 to 1 over the visible half, `down` 0 to 1 over the label."""
        height, width = texture.shape[:2]
        angle = np.arcsin(np.clip(across, -1, 1)) / np.float32(np.pi * turn) + np.float32(0.5)
        seen = cv2.remap(
            texture,
            (angle * width).astype(np.float32),
            (down * height).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return seen.astype(np.float32)


def round_light(across: Plane, *, gloss: float) -> tuple[Plane, Plane]:
    """Diffuse factor and highlight over a body of revolution lit from the upper left; `across` -1 to 1."""
    u = np.clip(across, -1, 1)
    facing = np.sqrt(1 - u * u)
    diffuse = 0.42 + 0.62 * np.clip(-0.55 * u + 0.83 * facing, 0, 1)
    highlight = gloss * np.exp(-(((u + 0.48) / 0.09) ** 2)) + 0.4 * gloss * np.exp(
        -(((u - 0.72) / 0.05) ** 2)
    )
    return diffuse.astype(np.float32), highlight.astype(np.float32)


def noise(side: int, rng: np.random.Generator, *, blur: float) -> Plane:
    """Noise of mean 0 and deviation 1, smoothed over `blur` pixels."""
    rough = cv2.GaussianBlur(rng.normal(0, 1, (side, side)).astype(np.float32), (0, 0), blur)
    return np.asarray(rough / rough.std(), np.float32)


def printed(
    size_wh: tuple[int, int], lines: Sequence[tuple[str, float, float]], ink: Colour, paper: Colour
) -> Plane:
    """Lettering on paper: each line a text, its height and its middle's place from the top, as shares of the height."""
    width, height = size_wh
    sheet = Image.new("L", size_wh, 0)
    pen = ImageDraw.Draw(sheet)
    for text, tall, middle in lines:
        font = ImageFont.load_default(size=tall * height)
        wide = pen.textlength(text, font=font)
        if wide > 0.9 * width:
            font = ImageFont.load_default(size=tall * height * 0.9 * width / wide)
        pen.text((width / 2, middle * height), text, fill=255, font=font, anchor="mm")
    cover = np.asarray(sheet, np.float32)[..., None] / 255
    return (np.asarray(paper, np.float32) * (1 - cover) + np.asarray(ink, np.float32) * cover).astype(
        np.float32
    )


def label(size_wh: tuple[int, int], rng: np.random.Generator) -> Plane:
    """A printed label: brand, small print, hairlines and a bar code."""
    width, height = size_wh
    ink, paper = pick(INKS, rng), pick(PAPERS, rng)
    words = [str(word) for word in rng.permutation(WORDS)]
    lines = [(pick(BRANDS, rng), 0.2, 0.3), (words[0], 0.07, 0.5), (words[1], 0.05, 0.6)]
    sheet = printed(size_wh, lines, ink, paper)
    for share in (0.06, 0.09, 0.94):
        row = int(share * height)
        sheet[row : row + max(2, height // 200)] = ink
    left, wide, thin = int(0.36 * width), int(0.28 * width), max(2, width // 300)
    bars = np.repeat(rng.random(wide // thin) < 0.5, thin)
    sheet[int(0.72 * height) : int(0.86 * height), left : left + len(bars)][:, bars] = 0.08
    return sheet


def pick(things: Sequence[Thing], rng: np.random.Generator) -> Thing:
    return things[int(rng.integers(len(things)))]


def curve(points: Points, *, closed: bool = True, steps: int = 24) -> Points:
    """A Catmull-Rom curve through the points."""
    at = np.asarray(points, np.float64)
    ends = (at[-1:], at[:2]) if closed else (at[:1], at[-1:])
    padded = np.concatenate([ends[0], at, ends[1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(padded[:-3], padded[1:-2], padded[2:-1], padded[3:], strict=True)
    ]
    smooth = np.concatenate([*pieces, at[:0] if closed else at[-1:]])
    return [(float(x), float(y)) for x, y in smooth]


def dashes(line: Points, every: int, drawn: int) -> list[Points]:
    return [line[start : start + drawn] for start in range(0, len(line) - drawn + 1, every)]


def ellipse(canvas: Canvas, centre: tuple[float, float], radii: tuple[float, float]) -> Plane:
    """Signed distance to an ellipse, exact at its edge."""
    x, y = (canvas.x - centre[0]) / radii[0], (canvas.y - centre[1]) / radii[1]
    level, slope = np.hypot(x, y), np.hypot(x / radii[0], y / radii[1])
    return np.asarray(level * (level - 1) / np.maximum(slope, 1e-6), np.float32)


def points(pairs: str) -> Points:
    """Points as "x y, x y"."""
    return [(float(x), float(y)) for x, y in (pair.split() for pair in pairs.split(", "))]
