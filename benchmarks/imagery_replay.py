"""Whether candidates that are made again from what is kept of them, by a new process, are the same to the last bit.

    python benchmarks/imagery_replay.py --json [--count 45]

Drawn products with their true masks, on plain white, in drawn scenes and in those of studio-64, which is opened anew for each. About four minutes of one core.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first
    sys.path[0] = str(Path(__file__).parents[1])

import json
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from benchmarks.common import Figure, emit, parser
from tests.goods import KINDS, goods
from tests.vision.imagery.products import ignore
from vision.imagery.brief import Light, read_brief
from vision.imagery.create import GENERATORS, generator_named, generator_of, make, prepare
from vision.imagery.folder import write_candidate, write_inputs
from vision.imagery.kept import encode_alpha, read_kept
from vision.imagery.replay import Verdict, replay
from vision.imagery.scenes.scene import SceneGenerator

_WORDS: Final = ("white marble table", "oak table, dark blue wall", "混凝土台面，右侧光")
_PHOTO_PX: Final = 900


def figures(*, count: int = 45) -> list[Figure]:
    """The share that is exact, of so many candidates over all generators that come along."""
    rng = np.random.default_rng(23)
    generators = [generator_named(name) for name in GENERATORS]
    with tempfile.TemporaryDirectory() as name:
        manifests = [
            _made(Path(name) / str(number), generators[number % len(generators)], number, rng)
            for number in range(count)
        ]
        again = _again(manifests)
    others = [reason for one in again for reason in (*one["reasons"], *one["differing"])]
    return [
        Figure(
            name="imagery_replay_exact",
            value=sum(one["verdict"] == Verdict.EXACT for one in again) / count,
            unit="ratio",
            target=">= 1.0",
            runs=count,
            note=f"scenes by {', '.join(GENERATORS)}; by a new process; {'; '.join(others) or 'nothing differs'}",
        )
    ]


def _made(folder: Path, generator: SceneGenerator, number: int, rng: np.random.Generator) -> Path:
    """A candidate kept in the folder; its manifest."""
    good = goods(KINDS[number % len(KINDS)], number, _PHOTO_PX)
    values = {
        "scene": _WORDS[number % len(_WORDS)],
        "rules": ["google.merchant"],
        "generator": generator.name,
        "size_wh": (int(rng.integers(320, 640)), int(rng.integers(320, 640))),
        "layout": {"horizon": float(rng.uniform(0.4, 0.8)), "light": list(Light)[number % len(Light)]},
        "seed": int(rng.integers(2**31)),
    }
    brief = read_brief(values)
    prepared = prepare(good.photo_png, encode_alpha(good.alpha_hw), brief)
    write_inputs(folder, good.photo_png, prepared.alpha_png)
    return Path(write_candidate(folder, make(prepared, brief, 1, generator, ignore))["manifest"])


def _again(manifests: Sequence[Path]) -> list[dict[str, Any]]:
    command = [sys.executable, str(Path(__file__).resolve()), "--again", *map(str, manifests)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--count", type=int, default=45, help="how many candidates")
    options.add_argument("--again", type=Path, nargs="+", help="make these again, and say what came of each")
    given = options.parse_args()
    if given.again is None:
        emit(figures(count=given.count))
        return
    for manifest in given.again:
        found = replay(read_kept(manifest), generator_of, ignore)
        told = {"verdict": found.verdict, "reasons": found.reasons, "differing": found.differing}
        sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
