"""The items that came since the last checkpoint, in memory, and which older ones they replace.

Any number of threads may search while one changes them.
"""

import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from vision.catalog.search.compact import Query, lengths
from vision.catalog.search.entry import Entry
from vision.catalog.search.layer import Photos, ordered
from vision.catalog.search.signature import BYTES
from vision.catalog.search.terms import Numbers, narrowed
from vision.catalog.search.values import Filter, Hit


class _Column:
    """An array that grows at its end. What was handed out before stays as it was."""

    def __init__(self, dtype: npt.DTypeLike, shape: tuple[int, ...] = ()) -> None:
        self._kept: npt.NDArray[Any] = np.empty((64, *shape), dtype)
        self._used = 0

    def extend(self, values: npt.NDArray[Any]) -> None:
        end = self._used + len(values)
        if end > len(self._kept):
            larger = np.empty((max(end, 2 * len(self._kept)), *self._kept.shape[1:]), self._kept.dtype)
            larger[: self._used] = self._kept[: self._used]
            self._kept = larger
        self._kept[self._used : end] = values
        self._used = end

    @property
    def values(self) -> npt.NDArray[Any]:
        return self._kept[: self._used]


class Recent:
    """Items by id, in the order in which they came; a replaced one is there twice, the older of no account.

    Attributes:
        touched: every id that was put or removed here; older layers have nothing to say of these.
    """

    def __init__(self, dimension: int) -> None:
        self.touched: set[str] = set()
        self._lock = threading.Lock()
        self._ids: list[str] = []
        self._terms: list[tuple[str, ...]] = []
        self._number: dict[str, int] = {}
        self._members: defaultdict[str, list[int]] = defaultdict(list)
        self._rows, self._lengths = _Column(np.int8, (dimension,)), _Column(np.float32)
        self._owners, self._alive = _Column(np.int32), _Column(np.bool_)
        self._signatures = _Column(np.uint8, (BYTES,))

    def __len__(self) -> int:
        """How many items count."""
        return len(self._number)

    @property
    def pending(self) -> int:
        """How much a checkpoint would take over: rows, or where that is more, ids put or removed."""
        return max(len(self._owners.values), len(self.touched))

    def put(self, entry: Entry) -> None:
        """Add an item, or replace it."""
        measured = lengths(entry.rows)
        with self._lock:
            number = len(self._ids)
            self._forget(entry.item_id)
            self._ids.append(entry.item_id)
            self._terms.append(entry.terms)
            for term in entry.terms:
                self._members[term].append(number)
            self._rows.extend(entry.rows)
            self._lengths.extend(measured)
            self._signatures.extend(entry.signatures)
            self._owners.extend(np.full(len(entry.rows), number))
            self._alive.extend(np.ones(1))
            self._number[entry.item_id] = number

    def remove(self, item_id: str) -> None:
        """Forget an item, here and in older layers."""
        with self._lock:
            self._forget(item_id)

    def _forget(self, item_id: str) -> None:
        self.touched.add(item_id)
        number = self._number.pop(item_id, None)
        if number is not None:
            self._alive.values[number] = False

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._number

    def get(self, item_id: str) -> Entry | None:
        with self._lock:
            number = self._number.get(item_id)
            if number is None:
                return None
            return self._entry(item_id, number, self._photos())

    def entries(self) -> Iterator[Entry]:
        """The items that count. Nobody may change them meanwhile."""
        photos = self._photos()
        for item_id, number in self._number.items():
            yield self._entry(item_id, number, photos)

    def _entry(self, item_id: str, number: int, photos: Photos) -> Entry:
        its = photos.of(number)
        return Entry(
            item_id=item_id,
            rows=photos.rows[its],
            signatures=photos.signatures[its],
            terms=self._terms[number],
        )

    def search(self, query: Query, count: int, chosen: Filter) -> tuple[Hit, ...]:
        """The most similar items, as they are at one moment."""
        with self._lock:
            photos, left = self._photos(), self._alive.values.copy()
            left = narrowed(left, chosen, self._having)
            left[[self._number[one] for one in chosen.exclude if one in self._number]] = False
        found = photos.nearest(query, count, left)
        return ordered(found.hits(photos, [self._ids[item] for item in found.items]), count)

    def _photos(self) -> Photos:
        return Photos(self._rows.values, self._lengths.values, self._owners.values, self._signatures.values)

    def _having(self, term: str) -> Numbers:
        return np.array(self._members.get(term, ()), np.int32)
