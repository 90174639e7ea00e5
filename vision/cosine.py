"""How alike vectors point, without waking BLAS: what novelty and search compare embeddings by.

A product of one row and a matrix with `@` is shared out to BLAS threads, which then spin for up to 100 ms waiting for more, on cores that the
models need (`docs/log.md`, 2026-11-28). `np.vecdot` keeps to its thread.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
_BLOCK: Final = 512  # rows that stay in a core's cache (256 dimensions: half a MiB) while all vectors are held against them


def unit(vectors: npt.NDArray[np.floating]) -> Floats:
    """Rows of length 1; one of no length stays so."""
    wide = np.asarray(vectors, np.float32)  # lengths in float16 would be off by more than the vectors are
    lengths = np.sqrt(np.vecdot(wide, wide))
    return np.asarray(wide / np.maximum(lengths, 1e-12)[:, None], np.float32)


def cosines(vectors: Floats, others: Floats) -> Floats:
    """(N, M) of rows (N, d) and rows (M, d), all of length 1. Meant for few rows against many: BLAS is faster for many against many."""
    blocks = [
        np.vecdot(vectors[:, None], others[first : first + _BLOCK]) for first in range(0, len(others), _BLOCK)
    ]
    return np.concatenate([np.empty((len(vectors), 0), np.float32), *blocks], axis=1)
