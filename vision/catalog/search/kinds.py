"""Items like a picture, those of its kind before others: how alike they look, and what the model takes the picture for.

Photos of one thing on a shelf and in a studio are seldom near each other by their vectors, while the model knows what both are.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from vision.catalog.search.index import ItemIndex
from vision.catalog.search.values import Filter, Hit

WEIGHT: Final = 0.3
"""Of a kind's probability beside the cosine: chosen on the groceries' validation part, where more gains nothing (decision 29)."""
ITSELF: Final = 0.98
"""The cosine from which on a picture is taken for the item's own, whatever kind the model takes it for."""

_LIKELY: Final = 0.02  # less moves nothing past its neighbours, and each kind is a search


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """An item that was found.

    Attributes:
        kind: how probable it is that the picture is of the item's category, 0..1; 0 also where it is too improbable to be asked for.
    """

    hit: Hit
    kind: float

    @property
    def score(self) -> float:
        """By which items are ordered, the greatest first."""
        return self.hit.similarity + WEIGHT * (1.0 if self.hit.similarity >= ITSELF else self.kind)


def likely(told: Iterable[tuple[str, float]]) -> Mapping[str, float]:
    """The kinds worth a search of their own, from ids of categories with probabilities; an id that is told twice counts for both."""
    kinds: dict[str, float] = {}
    for kind, probability in told:
        kinds[kind] = kinds.get(kind, 0.0) + probability
    return {kind: probability for kind, probability in kinds.items() if probability >= _LIKELY}


def search_with_kinds(
    index: ItemIndex,
    vectors: npt.NDArray[np.floating],
    count: int,
    *,
    kinds: Mapping[str, float],
    chosen: Filter,
) -> tuple[Ranked, ...]:
    """Items by their best score with any of the vectors; `count` of them where so many are left.

    Of what the index finds it is exact: among items of one kind the most similar ones score best, and so among those of no kind asked for.

    Args:
        vectors: (P, D), of one product; none find nothing.
        kinds: ids of categories with the probability, 0..1, that the picture is of them. Each is searched by itself.
        chosen: which items count.

    Raises:
        InputError: as `ItemIndex.search`.
    """
    best: dict[str, Ranked] = {}
    for vector in vectors:
        found = [Ranked(hit=hit, kind=0.0) for hit in _hits(index, vector, count, chosen)]
        for one, probability in kinds.items():
            within = _hits(index, vector, count, replace(chosen, categories=frozenset({one})))
            found += [
                Ranked(hit=hit, kind=probability) for hit in within if _in_any(index, hit, chosen.categories)
            ]
        for ranked in found:
            item_id = ranked.hit.item_id
            if item_id not in best or ranked.score > best[item_id].score:
                best[item_id] = ranked
    ordered = sorted(best.values(), key=lambda one: (-one.score, one.hit.item_id))
    return tuple(ordered[:count])


def _hits(index: ItemIndex, vector: npt.NDArray[np.floating], count: int, chosen: Filter) -> tuple[Hit, ...]:
    return index.search(
        vector, count, categories=chosen.categories, attributes=chosen.attributes, exclude=chosen.exclude
    )


def _in_any(index: ItemIndex, hit: Hit, categories: Set[str]) -> bool:
    if not categories:
        return True
    item = index.get(hit.item_id)
    return item is not None and not categories.isdisjoint(item.categories)
