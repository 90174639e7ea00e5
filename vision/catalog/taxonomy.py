"""A shop's tree of categories, as a frozen value: what each level's head tells apart, and which ways lead through it.

Takes categories (or the label tuples of a training manifest), gives class names a level, the paths from the first level to the leaves,
today's id for an old one, and categories by any of their words. It knows no file and no model: `vision.catalog.taxonomy_files` reads.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from vision.catalog.category import Category, spanned
from vision.catalog.folding import fold, nearest
from vision.catalog.taxonomy_faults import FaultyTaxonomyError, find_faults, labels_at
from vision.errors import CatalogError

__all__ = ["Category", "Taxonomy"]


@dataclass(frozen=True, kw_only=True)
class Taxonomy:
    """A tree of any depth, in which a category may have several parents.

    A category without children above the last level (a leaf) stands for itself at every level below: it is carried down.

    Attributes:
        version: the shop's own name for this state of the tree.
        levels: names of the levels, from the coarsest.
        moved: for each level, ids of the past with the ids that took their place, of today or of the past themselves.

    Raises:
        CatalogError: a line for each fault, with level, category, field, what was expected and what was found.
    """

    version: str = "1"
    levels: tuple[str, ...]
    categories: tuple[Category, ...]
    moved: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        faults = find_faults(self.version, self.levels, self.categories, self.moved)
        if faults:
            raise FaultyTaxonomyError(faults)

    @classmethod
    def from_paths(cls, levels: Sequence[str], paths: Iterable[Sequence[str]], *, version: str = "1") -> Self:
        """The tree that label tuples span, such as those of a training manifest's rows; each may come many times.

        A tuple may end early, or in empty labels, where nothing is told from there on.

        Raises:
            CatalogError: a tuple has no label, more than there are levels, or a gap; or the tree has a fault.
        """
        return cls(version=version, levels=tuple(levels), categories=spanned(levels, paths))

    def labels(self, level: str) -> tuple[str, ...]:
        """Class names of a level's head, sorted: its ids, and those of leaves above it.

        Raises:
            CatalogError: there is no such level.
        """
        if level not in self._labels:
            raise CatalogError(f"level: expected one of {', '.join(self.levels)}, found '{level}'")
        return self._labels[level]

    @cached_property
    def _labels(self) -> Mapping[str, tuple[str, ...]]:
        return {level: tuple(sorted(labels_at(self.levels, self.categories, level))) for level in self.levels}

    @cached_property
    def _indices(self) -> Mapping[str, Mapping[str, int]]:
        return {
            level: {label: index for index, label in enumerate(labels)}
            for level, labels in self._labels.items()
        }

    @cached_property
    def paths(self) -> npt.NDArray[np.int64]:
        """Every way from the first level to a leaf: (P, levels), indices into `labels(level)`, in lexicographic order, read-only.

        A leaf above the last level repeats itself downwards.
        """
        first, *further = self.levels
        below: dict[tuple[str, str], list[str]] = {}
        for category in self.categories:
            for parent in category.parents:
                below.setdefault((category.level, parent), []).append(category.id)
        ways: list[tuple[str, ...]] = [(label,) for label in self._indices[first]]
        for level in further:
            ways = [(*way, label) for way in ways for label in below.get((level, way[-1]), way[-1:])]
        indices = self._indices.values()
        rows = (tuple(index[label] for index, label in zip(indices, way, strict=True)) for way in ways)
        found = np.array(sorted(rows), dtype=np.int64)
        found.setflags(write=False)
        return found

    def category(self, level: str, label: str) -> Category:
        """The category behind a label of a level; a leaf that was carried down is found at its own level.

        Raises:
            CatalogError: no label of that level.
        """
        today = self.label(level, label)
        above = self.levels[self.levels.index(level) :: -1]
        return next(self._by_node[one, today] for one in above if (one, today) in self._by_node)

    @cached_property
    def _by_node(self) -> dict[tuple[str, str], Category]:
        return {(category.level, category.id): category for category in self.categories}

    def label(self, level: str, name: str) -> str:
        """Today's id at a level, for an id of today or of the past.

        Raises:
            CatalogError: it is neither; the message names the nearest ids.
        """
        found = self.today(level, name)
        if found is not None:
            return found
        close = ", ".join(
            f"'{one}'" for one in nearest(name, [*self.labels(level), *self.moved.get(level, ())])
        )
        raise CatalogError(
            f"level '{level}': expected an id of the taxonomy, found '{name}'"
            + (f"; nearest: {close}" if close else "")
        )

    def today(self, level: str, name: str) -> str | None:
        """As `label`, and None for what is neither.

        Raises:
            CatalogError: there is no such level.
        """
        self.labels(level)
        labels, moves = self._indices[level], self.moved.get(level, {})
        while name not in labels and name in moves:
            name = moves[name]
        return name if name in labels else None

    def name(self, level: str, label: str, language: str = "en") -> str:
        """The name of a label in a language, by `Category.name`.

        Raises:
            CatalogError: no label of that level.
        """
        return self.category(level, label).name(language)

    def named(self, words: str) -> tuple[Category, ...]:
        """Categories whose id, name or synonym is `words` in any language, case and width aside; no others are looked at."""
        return tuple(self._by_word.get(fold(words), ()))

    @cached_property
    def _by_word(self) -> Mapping[str, Sequence[Category]]:
        return _by_word(self.categories)

    def find(self, words: str, language: str | None = None) -> tuple[Category, ...]:
        """Categories whose id, name or synonym is `words`, then those where it is a part of one; case and width do not matter.

        Args:
            language: of the names that are searched; all of them when absent.
        """
        wanted = fold(words)
        if not wanted:
            return ()
        known = self._by_word if language is None else _by_word(self.categories, language)
        exact = known.get(wanted, ())
        part = {id(one) for word, found in known.items() if wanted in word for one in found}
        part -= set(map(id, exact))
        return (*exact, *(one for one in self.categories if part and id(one) in part))

    def to_json(self) -> str:
        """The whole value as it travels in a bundle: one JSON object, indented, UTF-8 as it is."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, *, source: str = "taxonomy.json") -> Self:
        """What `to_json` wrote, or a person.

        Raises:
            CatalogError: no JSON, an unknown or missing field, or a fault of the tree; each line names `source`.
        """
        try:
            read = _Document.model_validate_json(text)
        except ValidationError as error:
            lines = [
                f"{'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}" for one in error.errors()[:20]
            ]
            raise CatalogError("\n".join(f"{source}: {line}" for line in lines)) from error
        categories = tuple(Category(**dict(category)) for category in read.categories)
        try:
            return cls(version=read.version, levels=read.levels, categories=categories, moved=read.moved)
        except FaultyTaxonomyError as error:
            raise FaultyTaxonomyError(error.faults, lambda fault: f"{source}: {fault.where()}") from error


def _by_word(categories: Iterable[Category], language: str | None = None) -> dict[str, list[Category]]:
    """The categories that each word, folded, is one of, in their order."""
    known: dict[str, list[Category]] = {}
    for category in categories:
        for word in dict.fromkeys(category.words(language)):
            if word:
                known.setdefault(word, []).append(category)
    return known


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    level: str
    id: str
    parents: tuple[str, ...] = ()
    names: dict[str, str] = {}
    synonyms: tuple[str, ...] = ()


class _Document(BaseModel):
    """The shape of the JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = "1"
    levels: tuple[str, ...]
    categories: tuple[_Row, ...]
    moved: dict[str, dict[str, str]] = {}
