"""HNSW (Malkov & Yashunin 2016, arXiv:1603.09320) over compact vectors: usearch, met here alone.

A graph's file begins with the vectors themselves, row by row, so that exact search reads the same file and nothing is kept twice. Rows are
added by one thread: they lie in the order in which they came, their number is their key, and the same rows give the same graph.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from vision.catalog.search.compact import Rows
from vision.catalog.search.layer import Indices
from vision.errors import MissingExtraError, SearchIndexError, StorageError

if TYPE_CHECKING:
    from usearch.index import Index

_HEAD: Final = np.dtype("<u4")
_BLOCK: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What a graph costs and gives: more edges and longer looks find more of the true neighbours.

    Attributes:
        connectivity: edges of a row on each upper level, twice as many on the lowest; fixed when a graph is begun.
        adding: candidates looked at when a row is added.
        searching: candidates looked at in a search.
    """

    connectivity: int = 16
    adding: int = 96
    searching: int = 192


class Graph:
    """A graph in a file, viewed: the system reads what a search needs.

    Raises:
        SearchIndexError: the file is none of usearch, or not of so many rows and dimensions.
        MissingExtraError: usearch is not installed.
    """

    def __init__(self, path: Path, shape: tuple[int, int], effort: Effort) -> None:
        self._index = _index(shape[1], effort)
        try:
            self._index.view(path)
        except (RuntimeError, ValueError) as error:
            raise SearchIndexError(f"{path}: expected a graph of usearch: {error}") from error
        self.rows = _rows(path, shape)

    def nearest(self, query: Rows, count: int) -> Indices:
        """The numbers of about the nearest `count` rows, rising.

        Searches of several threads take turns: usearch holds a lock of its own, and lets go of the interpreter's.
        """
        found = self._index.search(query, min(count, len(self._index)), threads=1)
        return np.sort(np.asarray(found.keys, np.intp).reshape(-1))


def write(path: Path, rows: Rows, effort: Effort, earlier: Path | None = None) -> None:
    """A graph of rows, with `earlier` of the first of them already in a graph that is carried on.

    Raises:
        StorageError: the disk refused.
        MissingExtraError: usearch is not installed.
    """
    index = _index(rows.shape[1], effort)
    if earlier is not None:
        index.load(earlier)
    for start in range(len(index), len(rows), _BLOCK):
        block = np.ascontiguousarray(rows[start : start + _BLOCK])
        index.add(np.arange(start, start + len(block), dtype=np.uint64), block, threads=1)
    try:
        index.save(path)
    except RuntimeError as error:
        raise StorageError(f"{path}: cannot be written: {error}") from error
    written = _rows(path, (len(rows), rows.shape[1]))
    for start in range(0, len(rows), _BLOCK):
        if not np.array_equal(written[start : start + _BLOCK], rows[start : start + _BLOCK]):
            raise StorageError(
                f"{path}: expected the rows in the order they were added in; usearch wrote another"
            )


def _index(dimension: int, effort: Effort) -> "Index":
    try:
        from usearch.index import Index  # noqa: PLC0415  (of the server's extra)
    except ImportError as error:
        raise MissingExtraError("server", error.name or "usearch") from error
    return Index(
        ndim=dimension,
        metric="cos",
        dtype="i8",
        connectivity=effort.connectivity,
        expansion_add=effort.adding,
        expansion_search=effort.searching,
        enable_key_lookups=False,  # a table of keys would be made at every start, and nobody asks by key
    )


def _rows(path: Path, shape: tuple[int, int]) -> Rows:
    """The vectors at the head of a graph's file, memory-mapped: two numbers of four bytes, and the rows."""
    found = tuple(int(one) for one in np.fromfile(path, _HEAD, 2))
    if found != shape or path.stat().st_size < 2 * _HEAD.itemsize + shape[0] * shape[1]:
        raise SearchIndexError(f"{path}: expected {shape[0]} rows of {shape[1]} bytes, found {found}")
    return np.asarray(np.memmap(path, np.int8, "r", 2 * _HEAD.itemsize, shape))
