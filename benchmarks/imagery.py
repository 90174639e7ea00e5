"""All figures of product images: cut-outs, the lock, rules, labels and signatures, scenes, whole orders, replay, jobs.

    python benchmarks/imagery.py --json [--only lock,compliance,…]
    python benchmarks/imagery.py --long --json     # 100 kills of real workers instead of ten

Each part is a script of its own, `imagery_PART.py`, with more options. Products are drawn, so nothing is needed but what is installed.
Each part takes minutes; its own script says more. Beside other work the times it measures mean nothing.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first
    sys.path[0] = str(Path(__file__).parents[1])

from collections.abc import Callable
from functools import partial
from typing import Final

from benchmarks import (
    imagery_compliance,
    imagery_create,
    imagery_cutout,
    imagery_jobs,
    imagery_labels,
    imagery_lock,
    imagery_replay,
    imagery_scenes,
)
from benchmarks.common import Figure, emit, parser

PARTS: Final[dict[str, Callable[[], list[Figure]]]] = {
    "cutout": imagery_cutout.figures,
    "lock": imagery_lock.figures,
    "compliance": imagery_compliance.figures,
    "labels": imagery_labels.figures,
    "scenes": imagery_scenes.figures,
    "create": imagery_create.figures,
    "replay": imagery_replay.figures,
    "jobs": imagery_jobs.figures,
}


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--only", default=",".join(PARTS), help=f"which of {', '.join(PARTS)}")
    options.add_argument(
        "--long", action="store_true", help="kill as many real workers as with a stand-in for the scenes"
    )
    given = options.parse_args()
    wanted = given.only.split(",")
    if unknown := [part for part in wanted if part not in PARTS]:
        options.error(f"--only: expected some of {', '.join(PARTS)}, found {', '.join(unknown)}")
    long = {"jobs": partial(imagery_jobs.figures, real_kills=imagery_jobs.KILLS)} if given.long else {}
    parts = PARTS | long
    emit([figure for part in wanted for figure in parts[part]()])


if __name__ == "__main__":
    main()
