"""Kept products found again: by a picture, like another one, or by words of the taxonomy and the attributes.

Of a picture's likely kinds products come before others that look as much like it (`vision.catalog.search.kinds`).
Words are understood through the names and synonyms of categories, in every language that the taxonomy has, and through the values of
the model's attributes; they narrow the search, and what is most typical of what is left comes first. It knows nothing of the wire.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from server.cataloguing import Cataloguing, Order, Placed, Product
from server.indexing import Indexing
from server.loading import CatalogModel
from server.storage.catalog_items import CatalogItems, ItemRow, no_item
from vision.catalog.attributes import AttributeSpec
from vision.catalog.categorize import Status
from vision.catalog.category import Category
from vision.catalog.folding import fold, nearest
from vision.catalog.search.index import ItemIndex
from vision.catalog.search.kinds import NO_KINDS, Kinds, Ranked, search_with_kinds
from vision.catalog.search.values import Filter
from vision.catalog.taxonomy import Taxonomy
from vision.catalog.text import TextSpec, tokenise
from vision.errors import CatalogError, InputError

MAX_WORDS: Final = 32
"""Of a text that is searched for: a longer one is something else, and each of its words may be a part of any category's."""
_TYPICAL: Final = 64  # of the items that words leave, whose mean is searched for
_PHRASE: Final = 8  # words at most
_PART: Final = 3  # letters at least of a word that is only a part of a category's
_READ: Final = TextSpec(length=1)  # of a text its words alone are used

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """What words name: ids of categories, values by attribute, and what is left."""

    categories: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is looked for, by one of `image` (encoded), `item_id` and `text`, among what the filters leave.

    Attributes:
        categories: ids at any level; in one of them.
        attributes: by name: with one of these values.
    """

    image: bytes = b""
    item_id: str = ""
    text: str = ""
    categories: Sequence[str] = ()
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    limit: int
    deadline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Items, the best first."""

    items: tuple[tuple[Ranked, ItemRow], ...]
    understood: Understood = Understood()


class Searching:
    """Over the index and the database."""

    def __init__(self, cataloguing: Cataloguing, items: CatalogItems, indexing: Indexing) -> None:
        self._cataloguing, self._items, self._indexing = cataloguing, items, indexing

    async def similar(self, model: CatalogModel, query: Query) -> Found:
        """Find products.

        Raises:
            InputError: nothing to search by; a filter names no category of the taxonomy; or the text has more than `MAX_WORDS`
                words, or none that names anything.
            NotFoundError: the item to search by is not kept, or was placed by another model.
            OverloadedError, DeadlineError, ImageError: as `Cataloguing.place`.
            StorageError: the database does not answer.
        """
        understood, narrowed = await asyncio.to_thread(_read, query, model)
        placed = None
        if query.image:
            product = Product(photos=(query.image,))
            placed = await self._cataloguing.place(model, Order(product=product, deadline=query.deadline))
        index = await self._indexing.of(model)
        found = await asyncio.to_thread(_search, index, query, placed, narrowed)
        rows = await asyncio.to_thread(self._items.find_all, [one.hit.item_id for one in found])
        # one that was removed in this moment is not told
        there = tuple((one, rows[one.hit.item_id]) for one in found if one.hit.item_id in rows)
        return Found(items=there, understood=understood)


class _Narrowed:
    """The filters of a query, with what its words say."""

    def __init__(self, taxonomy: Taxonomy, query: Query, understood: Understood) -> None:
        asked = {found for one in query.categories for found in today(taxonomy, one)}
        # what is asked for beside the words stands above them
        self.categories = frozenset(asked or understood.categories)
        given = {fold(name): frozenset(map(fold, values)) for name, values in query.attributes.items()}
        said = {fold(name): frozenset(map(fold, values)) for name, values in understood.attributes.items()}
        self.attributes = said | given


def _read(query: Query, model: CatalogModel) -> tuple[Understood, _Narrowed]:
    """What a query's words and filters say."""
    taxonomy, understood = model.categorizer.taxonomy, Understood()
    if query.text:
        understood = understand(query.text, taxonomy, model.categorizer.spec.attributes)
        if not understood.categories and not understood.attributes:
            raise InputError(
                f"text: expected words for categories or for values of attributes, found none in '{query.text}'"
            )
    return understood, _Narrowed(taxonomy, query, understood)


def today(taxonomy: Taxonomy, name: str) -> set[str]:
    """Today's ids of a category, at whichever level it is.

    Raises:
        CatalogError: there is none.
    """
    found = {taxonomy.today(level, name) for level in taxonomy.levels} - {None}
    if not found:
        close = nearest(name, (one.id for one in taxonomy.categories))
        raise CatalogError(
            f"categories: expected ids of the taxonomy, found '{name}'"
            + (f"; nearest: {', '.join(close)}" if close else "")
        )
    return {one for one in found if one is not None}


def understand(text: str, taxonomy: Taxonomy, attributes: AttributeSpec | None) -> Understood:
    """What a text names, longest phrases first. Of categories at several levels the deepest stand for the others.

    Raises:
        InputError: it has more than `MAX_WORDS` words.
    """
    words = tokenise(text, _READ).words
    if len(words) > MAX_WORDS:
        raise InputError(f"text: expected at most {MAX_WORDS} words, found {len(words)}")
    categories: list[Category] = []
    valued: dict[str, list[str]] = {}
    rest, place = [], 0
    while place < len(words):
        for count in range(min(_PHRASE, len(words) - place), 0, -1):
            named = _named(words[place : place + count], taxonomy, attributes)
            if named is not None:
                categories += named[0]
                for name, value in named[1]:
                    valued.setdefault(name, []).append(value)
                break
        else:
            rest.append(words[place])
            count = 1
        place += count
    depth = max((taxonomy.levels.index(one.level) for one in categories), default=0)
    deepest = dict.fromkeys(one.id for one in categories if taxonomy.levels.index(one.level) == depth)
    return Understood(
        categories=tuple(deepest),
        attributes={name: tuple(dict.fromkeys(values)) for name, values in valued.items()},
        rest=tuple(rest),
    )


def _named(
    words: Sequence[str], taxonomy: Taxonomy, attributes: AttributeSpec | None
) -> tuple[tuple[Category, ...], tuple[tuple[str, str], ...]] | None:
    """Categories and values of attributes that a phrase names; scripts without blanks are spelled together."""
    for phrase in dict.fromkeys((" ".join(words), "".join(words))):
        values = attributes.named(phrase) if attributes else ()
        exact = taxonomy.named(phrase)
        if values or exact:
            return exact, values
    if len(words) == 1 and len(words[0]) >= _PART and (part := taxonomy.find(words[0])):
        return part, ()
    return None


def _search(index: ItemIndex, query: Query, placed: Placed | None, narrowed: _Narrowed) -> tuple[Ranked, ...]:
    kinds = NO_KINDS
    if placed is not None:
        vectors, kinds = placed.vectors(), _kinds(placed)
    else:
        vectors = _typical(index, narrowed) if query.text else _of_item(index, query.item_id)
    chosen = Filter(
        categories=narrowed.categories,
        attributes=narrowed.attributes,
        exclude=frozenset({query.item_id} if query.item_id else ()),
    )
    return search_with_kinds(index, vectors, query.limit, kinds=kinds, chosen=chosen)


def _kinds(placed: Placed) -> Kinds:
    """What a picture may be of; nothing of what the taxonomy does not hold, and of what cannot be judged."""
    answer, taxonomy = placed.answer, placed.model.categorizer.taxonomy
    if answer.status not in {Status.ANSWERED, Status.UNKNOWN}:
        return NO_KINDS
    paths = ((path.labels, path.probability) for path in answer.alternatives)
    return Kinds.of(paths, frozenset(taxonomy.labels(taxonomy.levels[-1])))


def _of_item(index: ItemIndex, item_id: str) -> Vectors:
    item = index.get(item_id)
    if item is None:
        raise no_item(item_id)
    return np.asarray(item.vectors, np.float32)


def _typical(index: ItemIndex, narrowed: _Narrowed) -> Vectors:
    """The mean of some items that the filters leave, (1, D); nothing, (0, D), where they leave none."""
    some = index.search(
        np.ones(index.dimension, np.float32),  # any will do: the filters choose
        _TYPICAL,
        categories=narrowed.categories,
        attributes=narrowed.attributes,
    )
    there = [item.vectors for hit in some if (item := index.get(hit.item_id)) is not None]
    if not there:
        return np.empty((0, index.dimension), np.float32)
    mean = np.concatenate(there).mean(axis=0, keepdims=True)
    return np.asarray(mean if mean.any() else there[0][:1], np.float32)
