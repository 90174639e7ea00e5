"""Are certificates honest? How often the true escape rate exceeds the certified one.

    python benchmarks/certificates.py [--scores SCORES.csv] [--draws 2000]

A pool of scored parts is the truth. Calibration sets are drawn from it with replacement (whole groups for the group
bound), certified as `loupe certify` does, and the policy's escape rate is counted on the whole pool. More than the
certified rate is a violation; no certificate is none. SCORES has the columns probability, defective (0 or 1) and group;
without it a pool with correlated groups is made.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first and its training.py would hide the package
    sys.path[0] = str(Path(__file__).parents[1])

import csv
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from benchmarks.common import Figure, emit, parser
from training.certify import Calibration, certify
from vision.inspection.policy import Costs

CONFIDENCE = 0.95


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--scores", type=Path, help="CSV of scored parts: probability, defective, group")
    options.add_argument("--draws", type=int, default=2000)
    given = options.parse_args()
    pool = read_pool(given.scores) if given.scores else made_pool()
    part_rate, group_rate = 0.05, 0.4
    figures = [
        violations("certificate_violations_parts", pool, given.draws, part_rate, draw_parts),
        violations("certificate_violations_groups", pool, given.draws, group_rate, draw_groups),
    ]
    emit(figures)


def read_pool(path: Path) -> Calibration:
    """The pool in a CSV."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return Calibration(
        probability=np.array([float(row["probability"]) for row in rows]),
        defective=np.array([row["defective"] == "1" for row in rows]),
        groups=tuple(row["group"] for row in rows),
    )


def made_pool(groups: int = 60, size: int = 40) -> Calibration:
    """Groups whose parts resemble each other: a shared shift of the log-odds, as modules of one batch have."""
    rng = np.random.default_rng(0)
    defective = rng.random(groups * size) < 0.3
    shift = np.repeat(rng.normal(0, 1.0, groups), size)
    log_odds = np.where(defective, 2.0, -2.0) + shift + rng.normal(0, 1.5, groups * size)
    names = tuple(f"g{index:03d}" for index in np.repeat(np.arange(groups), size))
    return Calibration(probability=1 / (1 + np.exp(-log_odds)), defective=defective, groups=names)


Draw = Callable[[Calibration, np.random.Generator], tuple[Calibration, bool]]


def take(pool: Calibration, rows: npt.NDArray[np.int64], groups: tuple[str, ...]) -> Calibration:
    return Calibration(probability=pool.probability[rows], defective=pool.defective[rows], groups=groups)


def draw_parts(pool: Calibration, rng: np.random.Generator) -> tuple[Calibration, bool]:
    """As many parts as the pool has, each drawn alone."""
    rows = rng.integers(0, len(pool.defective), len(pool.defective))
    return take(pool, rows, tuple(str(index) for index in range(len(rows)))), True


def draw_groups(pool: Calibration, rng: np.random.Generator) -> tuple[Calibration, bool]:
    """As many groups as the pool has, each drawn whole; one drawn twice counts as two."""
    names = sorted(set(pool.groups))
    members = {name: np.flatnonzero(np.array(pool.groups) == name) for name in names}
    picks = rng.choice(names, len(names))
    rows = np.concatenate([members[pick] for pick in picks])
    labels = tuple(f"{turn}-{pick}" for turn, pick in enumerate(picks) for _ in range(len(members[pick])))
    return take(pool, rows, labels), False


def escape(pool: Calibration, accept_at: float, *, by_group: bool) -> float:
    """The pool's true rate: of defective parts accepted, or of groups of which one is."""
    accepted = pool.defective & (pool.probability <= accept_at)
    if not by_group:
        return float(accepted.sum() / pool.defective.sum())
    names = np.array(pool.groups)
    holding = set(names[pool.defective].tolist())
    return len(set(names[accepted].tolist())) / len(holding)


def violations(name: str, pool: Calibration, draws: int, max_escape: float, draw: Draw) -> Figure:
    """The share of draws whose certificate promises less than the pool's truth."""
    rng = np.random.default_rng(1)
    violated = certified = 0
    for _ in range(draws):
        calibration, independent = draw(pool, rng)
        found = certify(
            calibration,
            Costs(escape=0.0, false_reject=1.0, review=1.0, defect_rate=0.5),  # the loosest threshold allowed
            max_escape=max_escape,
            confidence=CONFIDENCE,
            assume_independent_parts=independent,
        )
        if found.policy.accept_at is None:
            continue
        certified += 1
        violated += escape(pool, found.policy.accept_at, by_group=not independent) > max_escape
    error = (0.05 * 0.95 / draws) ** 0.5
    return Figure(
        name=name,
        value=round(violated / draws, 4),
        unit="share of draws",
        target=f"<= {0.05 + 2 * error:.4f}",
        runs=draws,
        note=f"{certified} of {draws} draws certified at {max_escape:.0%}, {len(pool.defective)} parts in the pool",
    )


if __name__ == "__main__":
    main()
