"""What a shop tells of a product in columns (gender, colour, season), as numbers, the same in training and in serving.

Takes text values by column name, gives an index a column for an embedding table: 0 for what is absent or was never learned, the
known values from 1. Values are compared as `vision.catalog.folding` compares. It reads no file.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from vision.catalog.folding import fold
from vision.errors import CatalogError


class AttributeColumn(BaseModel):
    """One column and its known values: the first has index 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    values: Annotated[tuple[str, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _values_differ(self) -> Self:
        spelled: dict[str, str] = {}
        for value in self.values:
            key = fold(value)
            if not key:
                raise ValueError(f"{self.name}: expected values that can be seen, found {value!r}")
            if key in spelled:
                raise ValueError(
                    f"{self.name}: expected values that differ, found {spelled[key]!r} and {value!r}"
                )
            spelled[key] = value
        return self


class AttributeSpec(BaseModel):
    """Which columns a model knows, in order; a model and its bundle share one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[AttributeColumn, ...]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if len(self._indices) < len(self.columns):
            raise ValueError(f"columns: expected each name once, found {self.names}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Rows of each column's table, that of index 0 included."""
        return tuple(len(column.values) + 1 for column in self.columns)

    @cached_property
    def _indices(self) -> Mapping[str, Mapping[str, int]]:
        return {
            column.name: {fold(value): index for index, value in enumerate(column.values, start=1)}
            for column in self.columns
        }

    def named(self, value: str) -> tuple[tuple[str, str], ...]:
        """The columns that know a value, each with its own spelling of it."""
        return self._by_value.get(fold(value), ())

    @cached_property
    def _by_value(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        found: dict[str, list[tuple[str, str]]] = {}
        for column in self.columns:
            for value in column.values:
                found.setdefault(fold(value), []).append((column.name, value))
        return {value: tuple(pairs) for value, pairs in found.items()}

    def index(self, name: str, value: str | None) -> int:
        """Of a value in a column of this spec; 0 where it is absent, blank or not known."""
        return self._indices[name].get(fold(value), 0) if value else 0

    @classmethod
    def from_items(
        cls, items: Iterable[Mapping[str, str | None]], columns: Sequence[str], *, min_count: int = 1
    ) -> Self:
        """The values that occur in `items` at least `min_count` times, sorted; of several spellings the most frequent stands.

        Raises:
            CatalogError: no item has a column, or none of its values occurs often enough.
        """
        seen: dict[str, dict[str, Counter[str]]] = {name: {} for name in columns}
        present: set[str] = set()
        for item in items:
            present |= item.keys()
            for name, values in seen.items():
                value = item.get(name) or ""
                if key := fold(value):
                    values.setdefault(key, Counter())[value.strip()] += 1
        return cls(
            columns=tuple(
                AttributeColumn(name=name, values=_frequent(name, values, present, min_count))
                for name, values in seen.items()
            )
        )


def _frequent(
    name: str, values: Mapping[str, Counter[str]], present: set[str], min_count: int
) -> tuple[str, ...]:
    if name not in present:
        found = ", ".join(sorted(present)) or "none"
        raise CatalogError(f"attributes: expected a column '{name}', found: {found}")
    frequent = sorted(key for key, spellings in values.items() if spellings.total() >= min_count)
    if not frequent:
        raise CatalogError(
            f"attributes: {name}: expected a value that occurs at least {min_count} times, found none"
        )
    return tuple(min(values[key], key=lambda text, key=key: (-values[key][text], text)) for key in frequent)  # type: ignore[misc]


def encode(values: Mapping[str, str | None], spec: AttributeSpec) -> npt.NDArray[np.int64]:
    """Indices of one item's values, int64 (A,), in the order of the spec's columns; other columns are passed over."""
    return np.array([spec.index(name, values.get(name)) for name in spec.names], dtype=np.int64)


def unknown(values: Mapping[str, str | None], spec: AttributeSpec) -> dict[str, str]:
    """What was told and cannot be used: values that were never learned, and columns that the spec does not have."""
    return {
        name: value
        for name, value in values.items()
        if value and fold(value) and not (name in spec.names and spec.index(name, value))
    }


def batch(items: Sequence[Mapping[str, str | None] | None], spec: AttributeSpec) -> npt.NDArray[np.int64]:
    """Indices of several items, int64 (N, A); an item without attributes gives zeros."""
    return np.array([encode(item or {}, spec) for item in items], dtype=np.int64).reshape(
        len(items), len(spec.columns)
    )
