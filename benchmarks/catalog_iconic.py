"""From a photo taken in a shop to the product's own picture: what `catalog.py --only iconic` makes of embeddings and probabilities."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.common import Figure
from vision.catalog.categorize import ALTERNATIVES
from vision.catalog.search.index import ItemIndex
from vision.catalog.search.kinds import NO_KINDS, Kinds, search_with_kinds
from vision.catalog.search.values import Filter, Item

MOST: Final = 5
TARGET: Final = ">= 0.89"
_MODEL: Final = "1c0" * 21 + "0"

Vectors = npt.NDArray[np.float32]
Hits = Sequence[Sequence[str]]


def found(
    own: Mapping[str, Vectors], asked: Vectors, probabilities: Sequence[Mapping[str, float]]
) -> dict[str, Hits]:
    """For each photo the classes whose pictures come first, by the way of searching.

    Args:
        own: each class's picture, float32 (D,).
        asked: the photos, float32 (N, D).
        probabilities: for each photo, of every class.
    """
    items = [
        Item(item_id=label, vectors=vector[None], categories=frozenset({label}))
        for label, vector in own.items()
    ]
    with (
        tempfile.TemporaryDirectory() as folder,
        ItemIndex.open(Path(folder), model=_MODEL, dimension=asked.shape[1]) as index,
    ):
        index.apply(items)
        return {
            "alone": [_first(index, one, NO_KINDS) for one in asked],
            "with_kinds": [
                _first(index, one, _kinds(row)) for one, row in zip(asked, probabilities, strict=True)
            ],
        }


def figures(hits: Mapping[str, Hits], truth: Sequence[str], note: str) -> list[Figure]:
    """The shares of photos whose class is the first, and among the first five."""
    return [
        Figure(
            name=f"catalog_iconic_{way}_top_{most}",
            value=round(float(np.mean([one in of[:most] for one, of in zip(truth, near, strict=True)])), 4),
            unit="accuracy",
            target=TARGET if (way, most) == ("with_kinds", 1) else None,
            runs=len(truth),
            note=note,
        )
        for way, near in hits.items()
        for most in (1, MOST)
    ]


def _kinds(probabilities: Mapping[str, float]) -> Kinds:
    """As a server has them, of the few that it tells; but no photo is held to be novel here."""
    told = sorted(probabilities.items(), key=lambda one: -one[1])[:ALTERNATIVES]
    return Kinds.of((((label,), probability) for label, probability in told), probabilities.keys())


def _first(index: ItemIndex, vector: Vectors, kinds: Kinds) -> list[str]:
    found_here = search_with_kinds(index, vector[None], MOST, kinds=kinds, chosen=Filter())
    return [one.hit.item_id for one in found_here]
