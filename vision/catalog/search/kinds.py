"""Items like a picture, those of its kind before others: how alike they look, and what the model takes the picture for.

Photos of one thing on a shelf and in a studio are seldom near each other by their vectors, while the model knows what both are.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final, Self

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
class Kinds:
    """What a picture may be of.

    Attributes:
        finest: likely categories of the finest level, with the probability, 0..1, that the picture is of them.
        above: the categories above them, likewise.
        known: every category of the finest level.
    """

    finest: Mapping[str, float]
    above: Mapping[str, float]
    known: Set[str]

    @classmethod
    def of(cls, paths: Iterable[tuple[Sequence[str], float]], known: Set[str]) -> Self:
        """From the few most probable paths, each from the coarsest level, with their probabilities; what lies on several counts for all."""
        finest, above = defaultdict[str, float](float), defaultdict[str, float](float)
        for labels, probability in paths:
            finest[labels[-1]] += probability
            for label in labels[:-1]:
                above[label] += probability
        likely = {label: probability for label, probability in finest.items() if probability >= _LIKELY}
        return cls(finest=likely, above=dict(above), known=known)

    def probability(self, categories: Set[str]) -> float:
        """That the picture is of an item's category, 0..1, by all that the item is in, those above included.

        Where no finest one is known of it, the one that is known counts; nothing known is 0.
        """
        if finest := categories & self.known:
            return max(self.finest.get(one, 0.0) for one in finest)
        return min((self.above.get(one, 0.0) for one in categories), default=0.0)


NO_KINDS: Final = Kinds(finest={}, above={}, known=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """An item that was found; `kind`: how probable it is that the picture is of the item's category (`Kinds.probability`)."""

    hit: Hit
    kind: float

    @property
    def score(self) -> float:
        """By which items are ordered, the greatest first."""
        return self.hit.similarity + WEIGHT * (1.0 if self.hit.similarity >= ITSELF else self.kind)


def search_with_kinds(
    index: ItemIndex, vectors: npt.NDArray[np.floating], count: int, *, kinds: Kinds, chosen: Filter
) -> tuple[Ranked, ...]:
    """Items by their best score with any of the vectors; `count` of them where so many are left.

    Each likely kind is searched by itself as well. So of items whose finest category is known none that scores better is missed: among those of
    one kind the most similar score best. Others are among the most similar of all, or not found.

    Args:
        vectors: (P, D), of one product; none find nothing.
        chosen: which items count.

    Raises:
        InputError: as `ItemIndex.search`.
    """
    best: dict[str, Hit] = {}
    for vector in vectors:
        for hit in _candidates(index, vector, count, kinds, chosen):
            if hit.item_id not in best or hit.similarity > best[hit.item_id].similarity:
                best[hit.item_id] = hit
    found = [
        Ranked(hit=hit, kind=kinds.probability(index.categories(hit.item_id)) if kinds.finest else 0.0)
        for hit in best.values()
    ]
    return tuple(sorted(found, key=lambda one: (-one.score, one.hit.item_id))[:count])


def _candidates(
    index: ItemIndex, vector: npt.NDArray[np.floating], count: int, kinds: Kinds, chosen: Filter
) -> Iterator[Hit]:
    for within in (frozenset[str](), *(frozenset({one}) for one in kinds.finest)):
        yield from index.search(
            vector,
            count,
            categories=chosen.categories,
            kinds=within,
            attributes=chosen.attributes,
            exclude=chosen.exclude,
        )
