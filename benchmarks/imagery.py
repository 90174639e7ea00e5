"""All figures of product images: cut-outs, the lock, rules, labels and signatures, scenes, jobs.

    python benchmarks/imagery.py --json [--only lock,compliance,…]

Each part is a script of its own, `imagery_PART.py`, with more options. Products are drawn, so nothing is needed but what is installed.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first
    sys.path[0] = str(Path(__file__).parents[1])

from collections.abc import Callable
from typing import Final

from benchmarks import (
    imagery_compliance,
    imagery_cutout,
    imagery_jobs,
    imagery_labels,
    imagery_lock,
    imagery_scenes,
)
from benchmarks.common import Figure, emit, parser

PARTS: Final[dict[str, Callable[[], list[Figure]]]] = {
    "cutout": imagery_cutout.figures,
    "lock": imagery_lock.figures,
    "compliance": imagery_compliance.figures,
    "labels": imagery_labels.figures,
    "scenes": imagery_scenes.figures,
    "jobs": imagery_jobs.figures,
}


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--only", default=",".join(PARTS), help=f"which of {', '.join(PARTS)}")
    given = options.parse_args()
    wanted = given.only.split(",")
    if unknown := [part for part in wanted if part not in PARTS]:
        options.error(f"--only: expected some of {', '.join(PARTS)}, found {', '.join(unknown)}")
    emit([figure for part in wanted for figure in PARTS[part]()])


if __name__ == "__main__":
    main()
