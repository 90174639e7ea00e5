"""Is this a product of a kind that the tree does not hold?

The score is the mean cosine distance of a photo's compact vector (`vision.catalog.projection`) to its nearest reference photos
(k-nearest-neighbour out-of-distribution detection, Sun et al. 2022, arXiv:2204.06507), as inspection has it on whole embeddings; a tree has
many more kinds than a line, so there are more reference photos, and they are kept compactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from vision.cosine import cosines, unit
from vision.errors import BundleError

NEIGHBOURS: Final = 3
MAX_REFERENCE: Final = 8192
_VECTORS: Final = "novelty_vectors"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Novelty:
    """Reference vectors float32 (M, d) of length 1, of photos that were learned from."""

    vectors: Floats

    def scores(self, vectors: Floats) -> Floats:
        """Scores (N,) of vectors (N, d) of length 1, 0 (the same direction as the nearest) to 2."""
        nearest = min(NEIGHBOURS, len(self.vectors))
        similarity = cosines(vectors, self.vectors)
        mean = np.partition(similarity, -nearest, axis=1)[:, -nearest:].mean(axis=1)
        return np.asarray(np.maximum(1 - mean, 0), np.float32)  # rounding may take a cosine beyond 1

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """For a bundle's `reference.npz`, in float16."""
        return {_VECTORS: self.vectors.astype(np.float16)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """From a bundle's `reference.npz`.

        Raises:
            BundleError: there is none in it, or no matrix with rows of finite numbers.
        """
        vectors = arrays.get(_VECTORS)
        if vectors is None or vectors.ndim != 2 or len(vectors) == 0 or vectors.dtype.kind != "f":
            found = "none" if vectors is None else f"{vectors.dtype} {vectors.shape}"
            raise BundleError(
                f"reference.npz: expected an array '{_VECTORS}' of floats (M, d) with M > 0, found {found}"
            )
        if not np.isfinite(vectors).all():
            raise BundleError(f"reference.npz: {_VECTORS}: expected finite values, found others")
        return cls(unit(vectors))  # rounded to float16 they are a little longer or shorter
