"""The nearest items among rows: an item has a row a photo, and its nearest photo counts.

What base and recent items have in common. A layer knows which of its items count; that others lie in newer layers, it does not.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vision.catalog.search.compact import Floats, Query, Rows, likeness
from vision.catalog.search.names import Bools
from vision.catalog.search.signature import Signatures
from vision.catalog.search.terms import Numbers
from vision.catalog.search.values import Hit

Indices = npt.NDArray[np.intp]
_GATHERED: Final = 1 / 8
"""Up to this share of all rows, those that count are fetched one by one; more, and reading all of them is faster."""


@dataclass(frozen=True, slots=True)
class Photos:
    """R rows of items.

    Attributes:
        rows: int8 (R, D).
        lengths: float32 (R,), theirs.
        owners: int32 (R,), rising: the number of each row's item.
        signatures: uint8 (R, 32), their pictures'.
    """

    rows: Rows
    lengths: Floats
    owners: Numbers
    signatures: Signatures

    def __len__(self) -> int:
        return len(self.owners)

    def of(self, item: int) -> slice:
        """The rows of an item."""
        first, end = np.searchsorted(self.owners, np.array([item, item + 1], np.int32))  # or all are cast
        return slice(int(first), int(end))

    def nearest(self, query: Query, count: int, left: Bools) -> "Found":
        """The most similar `count` items of those `left` (I,), and all that are as similar as the last of them."""
        one_each = len(self) == len(left)
        which = np.flatnonzero(left if one_each else left[self.owners])
        if len(which) <= _GATHERED * len(self):
            return self.ranked(query, count, which)
        similar = likeness(query, self.rows, self.lengths)
        return _best(similar[which], which, self.owners[which], count)

    def ranked(self, query: Query, count: int, which: Indices) -> "Found":
        """The same among the rows `which`, rising."""
        similar = likeness(query, self.rows[which], self.lengths[which])
        return _best(similar, which, self.owners[which], count)


@dataclass(frozen=True, slots=True)
class Found:
    """Items with their nearest photos: three arrays of one length, in no order."""

    items: Numbers
    similar: Floats
    rows: Indices

    def hits(self, photos: Photos, names: Iterable[str]) -> Iterator[Hit]:
        """As hits; `names` are the items' ids, in their order."""
        for item, similar, row, name in zip(self.items, self.similar, self.rows, names, strict=True):
            first = int(np.searchsorted(photos.owners, item))
            yield Hit(item_id=name, similarity=float(similar), photo=int(row) - first)


def _best(similar: Floats, rows: Indices, owners: Numbers, count: int) -> Found:
    """Of each item its best row, and of these the best `count`, ties with the last one included."""
    if not len(rows):
        return Found(owners, similar, rows)
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    best = np.maximum.reduceat(similar, starts)
    least = np.partition(best, -count)[-count] if count < len(best) else -np.inf
    chosen = np.flatnonzero(best >= least)
    first = [
        starts[one] + int(np.argmax(similar[starts[one] : end]))
        for one, end in zip(chosen, np.append(starts, len(rows))[chosen + 1], strict=True)
    ]
    return Found(owners[starts[chosen]], best[chosen], rows[np.array(first, np.intp)])


def ordered(hits: Iterable[Hit], count: int) -> tuple[Hit, ...]:
    """The most similar first, equally similar ones by their ids; an item that is there twice counts as it was first named."""
    once: dict[str, Hit] = {}
    for hit in hits:
        once.setdefault(hit.item_id, hit)
    return tuple(sorted(once.values(), key=lambda hit: (-hit.similarity, hit.item_id))[:count])
