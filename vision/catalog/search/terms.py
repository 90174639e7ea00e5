"""Which items have which terms, both ways round, and which items a filter leaves.

A term is a string that stands for a category or an attribute's value (`vision.catalog.search.values`); it counts here by its number.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from vision.catalog.search.names import Bools
from vision.catalog.search.values import Filter, attribute_term, category_term

Numbers = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Lists:
    """N lists of numbers: `values` int32, one list after the other; `ends` int64 (N,), where each ends."""

    values: Numbers
    ends: npt.NDArray[np.int64]

    @classmethod
    def of(cls, lists: Iterable[Iterable[int]]) -> Self:
        made = [np.fromiter(one, np.int32) for one in lists]
        sizes = np.array([len(one) for one in made], np.int64)
        return cls(np.concatenate([np.empty(0, np.int32), *made]), np.cumsum(sizes))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Self:
        return cls(arrays[f"{prefix}.values"], arrays[f"{prefix}.ends"])

    def arrays(self, prefix: str) -> dict[str, npt.NDArray[Any]]:
        return {f"{prefix}.values": self.values, f"{prefix}.ends": self.ends}

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, number: int) -> Numbers:
        start = int(self.ends[number - 1]) if number else 0
        return self.values[start : int(self.ends[number])]

    def only(self, kept: Bools) -> Self:
        """The lists that are kept (N,)."""
        sizes = np.diff(self.ends, prepend=0)
        return type(self)(self.values[np.repeat(kept, sizes)], np.cumsum(sizes[kept]))

    def and_more(self, others: Self) -> Self:
        """Further lists after these."""
        start = self.ends[-1] if len(self) else 0
        return type(self)(
            np.concatenate([self.values, others.values]), np.concatenate([self.ends, others.ends + start])
        )

    def inverted(self, count: int) -> Self:
        """For each number below `count`, in which lists it is, in their order."""
        holders = np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.ends, prepend=0))
        ends = np.cumsum(np.bincount(self.values, minlength=count))
        return type(self)(holders[np.argsort(self.values, kind="stable")], ends)


def narrowed(left: Bools, chosen: Filter, members: Callable[[str], Numbers]) -> Bools:
    """Which of the items that are `left` (I,) have the terms that a filter asks for; what it excludes is not looked at.

    Args:
        members: the items that have a term.
    """
    for choice in _choices(chosen):
        having = np.zeros(len(left), np.bool_)
        for term in choice:
            having[members(term)] = True
        left = left & having
    return left


def _choices(chosen: Filter) -> Iterator[list[str]]:
    """Of each, an item has to have one."""
    for categories in (chosen.categories, chosen.kinds):
        if categories:
            yield [category_term(category) for category in sorted(categories)]
    for name, values in sorted(chosen.attributes.items()):
        yield [attribute_term(name, value) for value in sorted(values)]
