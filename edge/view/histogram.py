"""How long things took, counted between fixed edges. A frozen value; `add` gives the next."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

# as fine as 1-1.5-2-3-5-7: a line's deadline seldom falls far from an edge
EDGES_MS: Final = (
    1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000, 10_000,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts between `EDGES_MS`, each edge belonging to what lies below it; one more for what lies above all.

    Attributes:
        sum_ms: of all that was added.
    """

    counts: tuple[int, ...] = (0,) * (len(EDGES_MS) + 1)
    sum_ms: float = 0.0

    def add(self, ms: float) -> "Histogram":
        """The state after one more."""
        cell, counts = bisect_left(EDGES_MS, ms), self.counts
        return Histogram(
            counts=(*counts[:cell], counts[cell] + 1, *counts[cell + 1 :]), sum_ms=self.sum_ms + ms
        )
