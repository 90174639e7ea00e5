"""Base and recent items, written as the next base.

A graph is carried on: forgotten items stay in it as ways to others, until they are more than `STALE` of all. Then, and where there is no
graph, they are left out and all is written anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vision.catalog.search import graph
from vision.catalog.search.base import (
    GRAPH,
    MANIFEST,
    ROWS,
    Base,
    BaseManifest,
    FileEntry,
    Identity,
    file_digest,
)
from vision.catalog.search.compact import lengths
from vision.catalog.search.entry import Entry
from vision.catalog.search.layer import Photos
from vision.catalog.search.names import Bools, Names
from vision.catalog.search.terms import Lists

STALE: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a checkpoint is made of, as it was at one moment.

    Attributes:
        alive: bool (I,), which of the base's items count.
        entries: the items that came since; none of them counts in the base.
    """

    base: Base
    alive: Bools
    entries: Sequence[Entry]


def write_base(
    folder: Path, source: Source, identity: Identity, *, effort: graph.Effort, graph_from: int
) -> None:
    """Write a base into an empty folder.

    Args:
        graph_from: from so many rows on there is a graph.

    Raises:
        StorageError: the disk refused; numpy's own errors are OSError.
        MissingExtraError: a graph is due, and usearch is not installed.
    """
    carried = _carried(source, effort, graph_from)
    kept = np.ones_like(source.alive) if carried else source.alive
    terms = _terms(source)
    of_items = source.base.of_items.only(kept).and_more(_numbers_of_terms(terms, source.entries))
    photos = _photos(source, kept)
    graphed = len(photos) >= graph_from
    names = source.base.ids.only(kept).without(source.alive[kept])
    arrays: dict[str, npt.NDArray[Any]] = {
        **names.and_more([entry.item_id for entry in source.entries]).arrays("ids"),
        **terms.arrays("terms"),
        **of_items.arrays("of_items"),
        **of_items.inverted(len(terms)).arrays("members"),
        "alive": np.concatenate([source.alive[kept], np.ones(len(source.entries), np.bool_)]),
        "owners": photos.owners,
        "lengths": photos.lengths,
        "signatures": photos.signatures,
    }
    if graphed:
        earlier = source.base.folder / GRAPH if carried and source.base.folder else None
        graph.write(folder / GRAPH, photos.rows, effort, earlier)
    else:
        arrays[ROWS] = photos.rows
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    _write_manifest(folder, identity, len(of_items), len(photos), effort.connectivity if graphed else None)


def _carried(source: Source, effort: graph.Effort, graph_from: int) -> bool:
    """Whether the base's graph can be carried on."""
    base = source.base
    rows = len(base.photos) + sum(len(entry.rows) for entry in source.entries)
    stale = np.count_nonzero(~source.alive) > STALE * len(source.alive)
    return base.connectivity == effort.connectivity and rows >= graph_from and not stale


def _terms(source: Source) -> Names:
    used = {term for entry in source.entries for term in entry.terms}
    return source.base.terms.and_more(sorted(term for term in used if source.base.terms.find(term) is None))


def _numbers_of_terms(terms: Names, entries: Sequence[Entry]) -> Lists:
    numbers = {term: terms.find(term) for term in {term for entry in entries for term in entry.terms}}
    return Lists.of(
        [number for term in entry.terms if (number := numbers[term]) is not None] for entry in entries
    )


def _photos(source: Source, kept: Bools) -> Photos:
    """The rows of the items that are kept, and those that came."""
    old, entries = source.base.photos, source.entries
    chosen = kept[old.owners]
    anew = (np.cumsum(kept) - 1).astype(np.int32)
    rows = np.concatenate([old.rows[chosen], *(entry.rows for entry in entries)])
    first = int(np.count_nonzero(kept))
    numbers = np.arange(first, first + len(entries), dtype=np.int32)
    owners = np.repeat(numbers, [len(entry.rows) for entry in entries])
    signatures = np.concatenate([old.signatures[chosen], *(entry.signatures for entry in entries)])
    return Photos(rows, lengths(rows), np.concatenate([anew[old.owners[chosen]], owners]), signatures)


def _write_manifest(
    folder: Path, identity: Identity, items: int, rows: int, connectivity: int | None
) -> None:
    files = {
        path.name: FileEntry(bytes=path.stat().st_size, sha256=file_digest(path))
        for path in sorted(folder.iterdir())
    }
    manifest = BaseManifest(identity=identity, items=items, rows=rows, connectivity=connectivity, files=files)
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
