"""Is this part like those the model knows? Distance of its embedding to the nearest reference parts.

The distance is one minus the cosine similarity, averaged over the `NEIGHBOURS` nearest (k-nearest-neighbour
out-of-distribution detection, Sun et al. 2022, arXiv:2204.06507). The radius is set so that a part like the known
ones is called novel with at most the asked probability.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vision.cosine import cosines, unit
from vision.errors import BundleError, SettingsError

NEIGHBOURS: Final = 3
MAX_REFERENCE: Final = 512

Embeddings = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reference:
    """Unit-length embeddings (M, D) of known parts, float32."""

    embeddings: Embeddings

    def distances(self, embeddings: Embeddings) -> npt.NDArray[np.float32]:
        """Distances (N,) of embeddings (N, D), 0 (the same direction) to 2 (the opposite)."""
        nearest = min(NEIGHBOURS, len(self.embeddings))
        similarity = cosines(unit(embeddings), self.embeddings)
        top = np.partition(similarity, -nearest, axis=1)[:, -nearest:]
        return np.asarray(1 - top.mean(axis=1), np.float32)


def reference(embeddings: npt.NDArray[np.floating]) -> Reference:
    """A reference from embeddings (M, D) of any length.

    Raises:
        BundleError: it is empty or not two-dimensional.
    """
    if embeddings.ndim != 2 or len(embeddings) == 0:
        raise BundleError(f"reference embeddings: expected shape (M, D) with M > 0, found {embeddings.shape}")
    return Reference(unit(embeddings))


def choose_reference(
    labels: npt.NDArray[np.int64], *, seed: int = 0, most: int = MAX_REFERENCE
) -> npt.NDArray[np.int64]:
    """Indices of at most `most` parts, every class as evenly present as it can be."""
    rng = np.random.default_rng(seed)
    waiting = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    turns = [(turn, column) for column, members in enumerate(waiting) for turn in range(len(members))]
    chosen = [waiting[column][turn] for turn, column in sorted(turns)[:most]]
    return np.sort(np.array(chosen, np.int64))


def radius(distances: npt.NDArray[np.floating], *, false_alarm: float) -> float:
    """The distance beyond which a part is novel.

    Split-conformal quantile: of parts exchangeable with the n given, at most `false_alarm` lie beyond it. With
    n < 1/false_alarm - 1 no finite radius promises that, and the largest distance seen is taken, widened by half.

    Raises:
        SettingsError: no distances, or false_alarm outside (0, 1).
    """
    if len(distances) == 0 or not 0 < false_alarm < 1:
        raise SettingsError(
            f"novelty: expected distances and 0 < false_alarm < 1, found {len(distances)}, {false_alarm}"
        )
    rank = math.ceil((len(distances) + 1) * (1 - false_alarm))
    ordered = np.sort(np.asarray(distances, float))
    return float(ordered[rank - 1] if rank <= len(ordered) else 1.5 * ordered[-1])
