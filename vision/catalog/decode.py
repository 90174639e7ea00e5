"""From each level's logits to probabilities that agree: of every path through the tree, and through them of every class.

A path's score is the sum of its classes' log-probabilities at their levels, and a softmax over the tree's paths makes it a probability; a
class's probability is that of all paths through it. So a category is never more probable than those above it together, and with one
parent alone never more probable than that. Training minimises the log loss of the very same numbers (`training.catalog.loss`).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Paths = npt.NDArray[np.int64]


def path_probabilities(
    logits: Sequence[npt.NDArray[np.floating]], paths: Paths, temperature: float = 1.0
) -> Floats:
    """Probabilities (N, P) of the paths (P, levels), from one array of logits (N, C) a level, each divided by `temperature`."""
    scores = np.zeros((len(logits[0]), len(paths)))
    for index, level in enumerate(logits):
        scaled = np.asarray(level, np.float64) / temperature
        scaled -= scaled.max(axis=1, keepdims=True)
        scores += (scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True)))[:, paths[:, index]]
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def level_probabilities(by_path: Floats, paths: Paths, sizes: Sequence[int]) -> list[Floats]:
    """For each level its classes' probabilities (N, C), from those of the paths (N, P)."""
    return [
        np.array([np.bincount(paths[:, index], one, size) for one in by_path]).reshape(-1, size)
        for index, size in enumerate(sizes)
    ]


def best_path_through(by_path: Floats, paths: Paths, level: int, label: int) -> int:
    """The index of the most probable path (of probabilities (P,)) on which `label` stands at `level`."""
    through = np.flatnonzero(paths[:, level] == label)
    return int(through[by_path[through].argmax()])


def follows_above(paths: Paths, level: int, label: int) -> npt.NDArray[np.bool_]:
    """For each level above `level` whether its class follows from `label`: every path through it has the same one there, bool (level,)."""
    above = paths[paths[:, level] == label, :level]
    return np.asarray((above == above[0]).all(axis=0))
