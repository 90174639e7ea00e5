"""The hierarchy-consistent loss: a probability for every way through the tree, from all levels' logits together.

Each level's head gives log-probabilities over its classes; a path's score is their sum along it, and a softmax over the paths that the
taxonomy has makes it a probability (a conditional random field whose only states are the tree's paths). So the levels can never
disagree, and a label that is known to an upper level only counts as all paths below it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

_LEVELS_WEIGHT = 0.5  # of each level's own cross entropy, which keeps its logits readable by themselves


def path_log_probabilities(logits: Tensor, paths: Tensor, sizes: Sequence[int]) -> Tensor:
    """Log-probabilities (..., P) of the paths (P, levels) for logits (..., classes) of all levels side by side."""
    levels = torch.split(logits, list(sizes), -1)
    along = [level.log_softmax(-1)[..., paths[:, index]] for index, level in enumerate(levels)]
    return torch.stack(along).sum(0).log_softmax(-1)


def level_allowed(allowed: Tensor, paths: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    """For each level, which of its classes lie on an allowed path: bool (N, C) from bool (N, P)."""
    on_path = [torch.nn.functional.one_hot(paths[:, index], size) for index, size in enumerate(sizes)]
    return [(allowed.float() @ one.float()) > 0 for one in on_path]


def catalog_loss(
    logits: Tensor, allowed: Tensor, paths: Tensor, sizes: Sequence[int], smoothing: float
) -> Tensor:
    """Negative log-probability of the allowed paths, and of each level's allowed classes beside it: (N, S) for logits (N, S, classes).

    Args:
        allowed: bool (N, P), the paths that a row's labels leave open.
        smoothing: share of the probability that is asked for all paths alike.
    """
    found = path_log_probabilities(logits, paths, sizes)
    told = found.masked_fill(~allowed.unsqueeze(1), -torch.inf).logsumexp(-1)
    total = -(1 - smoothing) * told - smoothing * found.mean(-1)
    for level, open_classes in zip(
        torch.split(logits, list(sizes), -1), level_allowed(allowed, paths, sizes), strict=True
    ):
        kept = level.log_softmax(-1).masked_fill(~open_classes.unsqueeze(1), -torch.inf)
        total = total - _LEVELS_WEIGHT * kept.logsumexp(-1) / len(sizes)
    return total
