"""Four candidates at 1600 px by studio-64, from a product's photo to masters that are proved and held against the rules.

    python benchmarks/imagery_create.py --json [--threads 1]

What `loupe imagery create` does, in one process whose model is open and that has made an order before. A minute or two on two cores.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first
    sys.path[0] = str(Path(__file__).parents[1])

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.common import Figure, emit, parser
from tests.goods import goods
from tests.vision.imagery.products import ignore
from vision.imagery.assess import Assessor, assessed
from vision.imagery.brief import STUDIO, Brief, read_brief
from vision.imagery.create import Candidate, generator_named, make, prepare
from vision.imagery.folder import write_candidate, write_inputs
from vision.imagery.scenes.scene import SceneGenerator

SIDE = 1600
COUNT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Seconds of one order; each candidate is held against the rules while the next is made."""

    cut: float
    made: float
    whole: float


def figures(*, threads: int = 1, rounds: int = 3) -> list[Figure]:
    """The time of an order, and what it is made of."""
    generator = generator_named(STUDIO, threads=threads)
    photo = goods("mug", 3, SIDE).photo_png
    values = {"scene": "white marble table, soft light from the left", "rules": ["google.merchant"]}
    brief = read_brief(values | {"count": COUNT, "size_wh": (SIDE, SIDE)})
    spent = [_ordered(photo, brief, generator) for _ in range(rounds + 1)][1:]
    cut, made, whole = (
        statistics.median(seconds) for seconds in zip(*((one.cut, one.made, one.whole) for one in spent), strict=True)
    )  # fmt: skip
    return [
        Figure(
            name="imagery_four_candidates_1600px",
            value=round(whole, 2),
            unit="s",
            target="<= 15",
            runs=rounds,
            spread=(round(min(one.whole for one in spent), 2), round(max(one.whole for one in spent), 2)),
            note=f"cut-out {cut:.1f}, scenes with composition and proof {made:.1f}, beside it and after it the rules with text read; "
            f"{threads} threads, load {os.getloadavg()[0]:.1f}",
        )
    ]


def _ordered(photo: bytes, brief: Brief, generator: SceneGenerator) -> Spent:
    made = 0.0

    def all_made() -> Iterator[Candidate]:
        nonlocal made
        for number in range(1, brief.count + 1):
            begun = time.perf_counter()
            candidate = make(prepared, brief, number, generator, ignore)
            made += time.perf_counter() - begun
            yield candidate

    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        prepared = prepare(photo, None, brief)
        assessor = Assessor(prepared=prepared, brief=brief)
        cut = time.perf_counter() - began
        write_inputs(Path(name), photo, prepared.alpha_png)
        for candidate, _ in assessed(all_made(), assessor):
            write_candidate(Path(name), candidate)
        whole = time.perf_counter() - began
    return Spent(cut=cut, made=made, whole=whole)


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--threads", type=int, default=1, help="of the processor, for the scenes")
    given = options.parse_args()
    emit(figures(threads=given.threads))


if __name__ == "__main__":
    main()
