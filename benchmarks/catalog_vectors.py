"""A million vectors from some thousand real ones, and which of them are truly nearest."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from benchmarks.catalog_embeddings import Pictures
from vision.catalog.search.values import Item

Vectors = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]

COUNT: Final = 10
"""How many neighbours are looked for."""
_BLOCK: Final = 20_000
_OTHERS: Final = 1 << 32  # a seed that no block has


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Draws vectors around real ones: on the way to one of the nearest of their class, plus noise.

    A drawn vector is `a + t (b - a) + e`, brought to length 1, with `a` a real one, `b` one of the `COUNT` nearest of its class, `t`
    uniform in 0..1, and `e` Gaussian in all dimensions, about half as long as the way from `a` to its nearest neighbour.

    Attributes:
        real: float32 (N, d), of length 1.
        chosen: (M,), those with at least `COUNT` others in their class, around which others are drawn.
        nearest: (M, COUNT), their neighbours.
        noise: float32 (M,), standard deviation a dimension.
    """

    real: Vectors
    chosen: Numbers
    nearest: Numbers
    noise: Vectors

    @classmethod
    def of(cls, real: Vectors, classes: npt.NDArray[np.str_]) -> Self:
        similar = real @ real.T
        np.fill_diagonal(similar, -2)
        same = classes[:, None] == classes
        chosen = np.flatnonzero(same.sum(axis=1) > COUNT)
        way = np.sqrt(np.maximum(2 - 2 * similar[chosen].max(axis=1), 0))
        similar[~same] = -2
        nearest = np.argpartition(-similar[chosen], COUNT, axis=1)[:, :COUNT]
        return cls(
            real=real, chosen=chosen, nearest=nearest, noise=way / np.float32(2 * real.shape[1] ** 0.5)
        )

    def draw(self, count: int, seed: int) -> tuple[Vectors, Numbers]:
        """Vectors (count, d), and the numbers of the real ones around which they lie."""
        rng = np.random.default_rng(seed)
        which = rng.integers(0, len(self.chosen), count)
        start = self.real[self.chosen[which]]
        end = self.real[self.nearest[which, rng.integers(0, COUNT, count)]]
        drawn = start + rng.random((count, 1), np.float32) * (end - start)
        drawn += self.noise[which, None] * rng.standard_normal(drawn.shape, np.float32)
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True), self.chosen[which]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """So many vectors, made anew at each reading: the real ones of `pictures` first, then drawn ones."""

    pictures: Pictures
    surroundings: Surroundings
    size: int

    @property
    def dimension(self) -> int:
        return int(self.surroundings.real.shape[1])

    def blocks(self) -> Iterator[tuple[Vectors, Numbers]]:
        """Vectors, and the numbers of the pictures that they are or lie around."""
        real = self.surroundings.real[: self.size]
        yield real, np.arange(len(real))
        for seed, start in enumerate(range(len(real), self.size, _BLOCK)):
            yield self.surroundings.draw(min(_BLOCK, self.size - start), seed)

    def items(self) -> Iterator[Item]:
        """As items, their ids their numbers; in the class and split of the picture that they are or lie around."""
        number = 0
        for vectors, around in self.blocks():
            for vector, row in zip(vectors, around, strict=True):
                yield Item(
                    item_id=f"{number:07}",
                    vectors=vector[None],
                    categories=frozenset({self.category(row), str(self.pictures.catalog[row])}),
                    attributes={"split": str(self.pictures.split[row])},
                )
                number += 1

    def category(self, row: int) -> str:
        return f"{self.pictures.catalog[row]}/{self.pictures.fine[row]}"

    def queries(self, count: int) -> Vectors:
        """Vectors that are not in it, drawn in the same way."""
        return self.surroundings.draw(count, _OTHERS)[0]


def true_neighbours(queries: Vectors, blocks: Iterable[Vectors]) -> Numbers:
    """(Q, COUNT): the numbers of the vectors with the largest products, which blocks count on through all of them."""
    similar = np.full((len(queries), COUNT), -2, np.float32)
    numbers = np.zeros((len(queries), COUNT), np.int64)
    start = 0
    for block in blocks:
        both = np.hstack([similar, queries @ block.T])
        which = np.argpartition(-both, COUNT, axis=1)[:, :COUNT]
        known = np.take_along_axis(numbers, np.minimum(which, COUNT - 1), axis=1)
        numbers = np.where(which < COUNT, known, start + which - COUNT)
        similar = np.take_along_axis(both, which, axis=1)
        start += len(block)
    return numbers
