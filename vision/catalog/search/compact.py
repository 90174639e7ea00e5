"""Vectors in one byte a dimension, and how alike they are.

Each vector is scaled by its own largest value to -127..127. The cosine does not know of scales, so none is kept: what is lost is the
rounding. What is asked about is kept in two bytes, which costs nothing and halves the error. Likeness is counted in whole numbers, so that
equal vectors are equally alike wherever they lie.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from vision.errors import InputError

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int8]

MAX_DIMENSION: Final = 1024
"""Products of whole numbers up to 127 and 128 add up exactly in float32 for so many dimensions: 1024 * 127 * 128 < 2**24."""

_MOST: Final = 127
_FINER: Final = 256
_BLOCK_VALUES: Final = 1 << 20  # 4 MiB of float32 at a time: what a core's cache holds


@dataclass(frozen=True, slots=True)
class Query:
    """A vector that is asked about.

    Attributes:
        coarse: int8 (D,), as rows are kept.
        parts: float32 (D, 2): `coarse`, and what was rounded off, in 256ths of its step. All whole numbers.
        length: of both together.
    """

    coarse: Rows
    parts: Floats
    length: np.float32

    @classmethod
    def of(cls, vector: npt.NDArray[np.floating], name: str = "vector") -> Self:
        """From a vector (D,).

        Raises:
            InputError: as `compact`.
        """
        coarse = compact(vector[None], name)[0]
        scaled = vector * (_MOST / np.abs(vector).max().astype(np.float64))
        rest = np.rint((scaled - coarse) * _FINER)
        parts = np.stack([coarse, rest], axis=1).astype(np.float32)
        return cls(coarse, parts, np.float32(np.linalg.norm(coarse + rest / _FINER)))


def compact(vectors: npt.NDArray[np.floating], name: str = "vectors") -> Rows:
    """int8 (N, D) from vectors (N, D) of any length but none.

    Raises:
        InputError: `name` is not two-dimensional, holds what is no number, or a vector of length 0.
    """
    if vectors.ndim != 2 or not 0 < vectors.shape[1] <= MAX_DIMENSION:
        raise InputError(f"{name}: expected shape (N, 1 to {MAX_DIMENSION}), found {vectors.shape}")
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    if not (np.isfinite(largest).all() and (largest > 0).all()):
        raise InputError(f"{name}: expected finite vectors with a length, found one without")
    return np.asarray(np.rint(vectors * (_MOST / largest.astype(np.float64))), np.int8)


def unit(rows: Rows) -> Floats:
    """Compact vectors as float32 of length 1."""
    return np.asarray(rows / lengths(rows)[:, None], np.float32)


def lengths(rows: Rows) -> Floats:
    """float32 (N,)."""
    found = np.empty(len(rows), np.float32)
    for some, block in _blocks(rows):
        found[some] = np.sqrt(np.einsum("nd,nd->n", block, block))
    return found


def likeness(query: Query, rows: Rows, row_lengths: Floats) -> Floats:
    """Cosine similarities float32 (N,), -1 to 1, of a vector with rows (N, D)."""
    found = np.empty((len(rows), 2), np.float32)
    for some, block in _blocks(rows):
        found[some] = block @ query.parts
    return np.asarray((found[:, 0] + found[:, 1] / _FINER) / (row_lengths * query.length), np.float32)


def _blocks(rows: Rows) -> Iterator[tuple[slice, Floats]]:
    step = max(1, _BLOCK_VALUES // rows.shape[1])
    for start in range(0, len(rows), step):
        some = slice(start, start + step)
        yield some, rows[some].astype(np.float32)
