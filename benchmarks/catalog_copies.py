"""Copies of pictures that are known again at upload, and pictures of their own that are taken for copies of another."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.catalog_embeddings import COPY, ICONIC, Pictures
from benchmarks.common import Figure
from vision.catalog.projection import Projection
from vision.catalog.search.duplicates import near_duplicates
from vision.catalog.search.index import ItemIndex
from vision.catalog.search.rebuild import rebuild
from vision.catalog.search.signature import signature
from vision.catalog.search.values import Item

_MODEL: Final = "benchmark"


def duplicates(found: Pictures, projection: Projection, folder: Path, note: str) -> list[Figure]:
    """Every picture once in an index, its copies and itself held against it; ids are row numbers."""
    vectors = projection.project(found.embeddings)
    signatures = np.stack([signature(grey) for grey in found.greys])
    shop = np.flatnonzero(~np.isin(found.split, (ICONIC, COPY)))
    once = shop[np.unique(found.digest[shop], return_index=True)[1]]
    items = (
        Item(item_id=str(row), vectors=vectors[row][None], signatures=signatures[row][None]) for row in once
    )
    rebuild(folder, items, model=_MODEL, dimension=projection.dimension)
    with ItemIndex.open(folder, model=_MODEL, dimension=projection.dimension) as index:

        def flagged(row: int) -> list[int]:
            told = near_duplicates(index, vectors[row], signatures[row], exclude={str(row)})
            return [int(one.item_id) for one in told]

        def known(rows: npt.NDArray[np.intp], by: npt.NDArray[np.str_]) -> Iterable[bool]:
            return (by[row] in by[flagged(row)] for row in rows.tolist())

        copies, again = np.flatnonzero(found.split == COPY), np.setdiff1d(shop, once)
        figures = [
            _share(
                "search_copies_found", known(copies, found.path), f"quality 50, half the size, noise; {note}"
            ),
            _share("search_same_found", known(again, found.digest), "further pictures with the same bytes"),
        ]
        for catalog in np.unique(found.catalog[once]):
            own = once[found.catalog[once] == catalog].tolist()
            told = "of pictures that are no other's bytes; true copies among them count as well"
            figures.append(_share(f"search_{catalog}_flagged", (bool(flagged(row)) for row in own), told))
    return figures


def _share(name: str, these: Iterable[bool], note: str) -> Figure:
    found = list(these)
    return Figure(
        name=name, value=round(sum(found) / max(len(found), 1), 4), unit="ratio", runs=len(found), note=note
    )
