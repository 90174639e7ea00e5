"""How well products are told from their backgrounds, by each method, on drawn goods whose true alpha is known.

    python benchmarks/imagery_cutout.py --seeds 3

`u2netp` is measured where its package is installed, `matting` where pymatting is. The goods are six products on white, on grey and on a
gradient, 1,200 px wide; real photos are harder than that, but nobody knows their true alpha.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common import Figure, emit, parser
from tests.goods import KINDS, Good, goods
from vision.imagery.cutout import edge
from vision.imagery.cutout.find import Found, find
from vision.imagery.cutout.quality import overlap
from vision.imagery.cutout.saliency import Saliency
from vision.settings import read_settings

EDGE_PX = 4  # to either side of the true edge


@dataclass(frozen=True, slots=True)
class Measured:
    """One product's cut-out: intersection over union, the mean error of alpha (0 to 1) along the edge, and seconds."""

    iou: float
    edge: float
    seconds: float


def measure(good: Good, cut: Callable[[Good], Found]) -> Measured:
    started = time.perf_counter()
    alpha = cut(good).alpha_hw
    seconds = time.perf_counter() - started
    true = good.alpha_hw
    between = ((true > 0) & (true < 255)).astype(np.uint8)
    along = cv2.dilate(between, np.ones((2 * EDGE_PX + 1, 2 * EDGE_PX + 1), np.uint8)) == 1
    off = np.abs(alpha[along].astype(np.float64) - true[along]).mean() / 255
    return Measured(overlap(alpha >= 128, true >= 128), float(off), seconds)


def methods() -> Iterator[tuple[str, Callable[[Good], Found]]]:
    """What can be measured here, by name."""
    network = Saliency.installed(read_settings())
    mattings: tuple[edge.Matting, ...] = (
        ("guided", "matting") if edge.installed() == "matting" else ("guided",)
    )
    for saliency in (network, None) if network else (None,):
        for matting in mattings:
            name = f"{saliency.name if saliency else 'grabcut'}_{matting}"
            yield (
                name,
                lambda good, saliency=saliency, matting=matting: find(  # type: ignore[misc]
                    good.photo_hwc, saliency, matting=matting
                ),
            )


def figures(seeds: int = 3, side: int = 1200) -> list[Figure]:
    drawn = [goods(kind, seed, side) for kind in KINDS for seed in range(seeds)]
    made: list[Figure] = []
    for name, cut in methods():
        cut(drawn[0])  # loads the network, compiles the matting
        made += _of(name, [measure(good, cut) for good in drawn])
    return made


def _of(name: str, measured: Sequence[Measured]) -> list[Figure]:
    def middle(values: Sequence[float], what: str, unit: str) -> Figure:
        return Figure(
            name=f"cutout_{name}_{what}",
            value=round(statistics.median(values), 4),
            unit=unit,
            runs=len(values),
            spread=(round(min(values), 4), round(max(values), 4)),
        )

    return [
        middle([one.iou for one in measured], "iou", "ratio"),
        middle([one.edge for one in measured], "edge_error", "alpha"),
        middle([one.seconds for one in measured], "time", "s"),
    ]


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--seeds", type=int, default=3, help="photographs of each of the six products")
    options.add_argument("--side", type=int, default=1200, help="their side in pixels")
    given = options.parse_args()
    emit(figures(given.seeds, given.side))


if __name__ == "__main__":
    main()
