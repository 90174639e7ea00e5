"""Items made of numbers, and search as it is defined: everything compared with everything."""

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Final

import numpy as np

from vision.catalog.search.compact import Floats, compact, unit
from vision.catalog.search.graph import Effort
from vision.catalog.search.index import ItemIndex, Options
from vision.catalog.search.values import Filter, Hit, Item

DIMENSION: Final = 16
MODEL: Final = "5eed" * 16
COLOURS: Final = ("red", "green", "blue")
GRAPHED: Final = Options(graph_from=0, due_after=50, effort=Effort(adding=64, searching=64))
EXACT: Final = Options(due_after=50)


def opened(
    folder: Path, options: Options = EXACT, *, model: str = MODEL, dimension: int = DIMENSION
) -> ItemIndex:
    return ItemIndex.open(folder, model=model, dimension=dimension, options=options)


def vectors(count: int, seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)


def item(number: int, *, seed: int | None = None) -> Item:
    """One to three photos, one of five categories below one of two, one of three colours."""
    return Item(
        item_id=f"item-{number}",
        vectors=vectors(1 + number % 3, number if seed is None else seed),
        categories=frozenset({f"fine-{number % 5}", f"coarse-{number % 5 % 2}"}),
        attributes={"colour": COLOURS[number % 3]},
    )


def items(count: int) -> list[Item]:
    return [item(number) for number in range(count)]


def by_definition(query: Floats, known: Mapping[str, Item], count: int, chosen: Filter) -> tuple[Hit, ...]:
    """The most similar of the items that a filter leaves, by the vectors as they are kept."""
    finely = np.rint(256 * 127 * query.astype(np.float64) / np.abs(query).max())  # in 256ths of a step
    asked = finely / np.linalg.norm(finely)
    hits = []
    for one in known.values():
        if _is_left(one, chosen):
            similar = unit(compact(one.vectors)) @ asked
            photo = int(similar.argmax())
            hits.append(Hit(item_id=one.item_id, similarity=float(similar[photo]), photo=photo))
    return tuple(sorted(hits, key=lambda hit: (-hit.similarity, hit.item_id))[:count])


def _is_left(one: Item, chosen: Filter) -> bool:
    return (
        one.item_id not in chosen.exclude
        and (not chosen.categories or bool(chosen.categories & one.categories))
        and all(one.attributes.get(name) in values for name, values in chosen.attributes.items())
    )


def ids(hits: tuple[Hit, ...]) -> list[str]:
    return [hit.item_id for hit in hits]


def search(
    index: ItemIndex, query: Floats, count: int, chosen: Filter, *, exact: bool = False
) -> tuple[Hit, ...]:
    categories: Set[str] = chosen.categories
    return index.search(
        query, count, categories=categories, attributes=chosen.attributes, exclude=chosen.exclude, exact=exact
    )
