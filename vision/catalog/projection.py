"""From a network's embedding to the compact vector that search compares.

The directions are those in which training embeddings of length 1 are largest (principal components about the origin, not about the mean:
moving the origin would change every cosine). They are then turned among themselves at random, which no product notices: without that the
first would be many times as large as the others, and one byte a dimension (`search.compact`) would round these away.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from vision.cosine import unit
from vision.errors import BundleError, SettingsError

DIMENSION: Final = 256
"""Of 10 nearest neighbours by the full 2048 dimensions 9.5 are kept, with 128 dimensions 9.0, with 512 9.7
(docs/decisions/0020)."""

Floats = npt.NDArray[np.float32]
_SEED: Final = 0
_AXES: Final = "search_axes"


@dataclass(frozen=True, slots=True)
class Projection:
    """`axes` float32 (D, d), orthogonal columns of length 1."""

    axes: Floats

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.axes.shape[1])

    def project(self, embeddings: npt.NDArray[np.floating]) -> Floats:
        """Unit vectors float32 (N, d) of embeddings (N, D) of any length; one of no length stays so.

        Raises:
            SettingsError: they have another dimension.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != len(self.axes):
            raise SettingsError(f"embeddings: expected shape (N, {len(self.axes)}), found {embeddings.shape}")
        return unit(np.einsum("nd,dk->nk", unit(embeddings), self.axes))  # not `@`, as in `vision.cosine`

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """For a bundle's `reference.npz`."""
        return {_AXES: self.axes}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """From a bundle's `reference.npz`.

        Raises:
            BundleError: there is none in it, or no matrix with finite values, as many rows as columns or more.
        """
        axes = arrays.get(_AXES)
        if axes is None:
            raise BundleError(
                f"reference.npz: expected an array '{_AXES}', found {', '.join(arrays) or 'none'}"
            )
        if axes.ndim != 2 or not 0 < axes.shape[1] <= axes.shape[0] or axes.dtype != np.float32:
            raise BundleError(
                f"reference.npz: {_AXES}: expected float32 (D, d) with d <= D, found {axes.dtype} {axes.shape}"
            )
        if not np.isfinite(axes).all():
            raise BundleError(f"reference.npz: {_AXES}: expected finite values, found others")
        return cls(axes)


def fit(embeddings: npt.NDArray[np.floating], dimension: int = DIMENSION) -> Projection:
    """A projection from training embeddings (N, D); some thousands are enough. The same ones give the same projection.

    Raises:
        SettingsError: fewer embeddings, or of fewer dimensions, than `dimension`.
    """
    if embeddings.ndim != 2 or not 0 < dimension <= min(embeddings.shape):
        raise SettingsError(
            f"projection: expected embeddings (N, D) with N and D from {dimension} up, found {embeddings.shape}"
        )
    vectors = unit(embeddings).astype(np.float64)
    _, directions = np.linalg.eigh(vectors.T @ vectors)  # in rising order
    turn, _ = np.linalg.qr(np.random.default_rng(_SEED).standard_normal((dimension, dimension)))
    return Projection((_signed(directions[:, ::-1][:, :dimension]) @ turn).astype(np.float32))


def _signed(directions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Each direction with its largest value positive: which way round it comes is the library's whim."""
    largest = np.abs(directions).argmax(axis=0)
    return np.asarray(directions * np.sign(directions[largest, np.arange(directions.shape[1])]))
