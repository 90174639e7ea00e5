"""One category of a shop: its names in several languages, the words by which it is found, and those that label tuples speak of."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from vision.catalog.folding import fold
from vision.errors import CatalogError

UNDETERMINED: Final = "und"  # BCP 47's tag for a name whose language nobody told


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A node of the tree.

    Attributes:
        level: the name of its level.
        id: unique within its level; a family and its only member may be called alike.
        parents: ids at the level above; none at the first level, one or several below it.
        names: by BCP 47 language tag, `und` where the language is not known; empty: the id is the name.
        synonyms: further words for it, in any language.
    """

    level: str
    id: str
    parents: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict, hash=False)
    synonyms: tuple[str, ...] = ()

    def name(self, language: str) -> str:
        """Its name in a language; failing that in the language without region or script, `und`, English, or its id.

        Ranges are shortened as RFC 4647 (section 3.4, lookup) has it: zh-Hant-TW, zh-Hant, zh.
        """
        by_tag = {tag.lower(): name for tag, name in self.names.items()}
        wanted = language.lower()
        while wanted:
            if wanted in by_tag:
                return by_tag[wanted]
            wanted = wanted.rpartition("-")[0]
        return by_tag.get(UNDETERMINED) or by_tag.get("en") or self.id

    def words(self, language: str | None = None) -> Iterator[str]:
        """What it is found by, folded: id, names (in one language, or in all), synonyms."""
        yield _folded(self.id)
        if language is None:
            yield from map(_folded, self.names.values())
        else:
            yield _folded(self.name(language))
        yield from map(_folded, self.synonyms)


_folded = lru_cache(maxsize=1 << 17)(fold)  # a taxonomy is asked again and again


def told(levels: Sequence[str], path: Sequence[str]) -> tuple[str, ...]:
    """A label tuple without the empty labels at its end, where nothing is told from there on.

    Raises:
        CatalogError: it has no label, more than there are levels, or a gap.
    """
    labels = tuple(path)
    while labels and not labels[-1]:
        labels = labels[:-1]
    if not labels or len(labels) > len(levels) or not all(labels):
        raise CatalogError(
            f"labels: expected one for each of {', '.join(levels)}, from the first on and without a gap; "
            f"found {', '.join(map(repr, path)) or 'none'}"
        )
    return labels


def spanned(levels: Sequence[str], paths: Iterable[Sequence[str]]) -> tuple[Category, ...]:
    """The categories that label tuples speak of, by level and id; each tuple may come many times.

    Raises:
        CatalogError: a tuple is not as `told` has it.
    """
    parents: list[dict[str, set[str]]] = [{} for _ in levels]
    for path in dict.fromkeys(map(tuple, paths)):
        labels = told(levels, path)
        for position, label in enumerate(labels):
            parents[position].setdefault(label, set()).update(labels[position - 1 : position])
    return tuple(
        Category(level=level, id=label, parents=tuple(sorted(above)))
        for level, found in zip(levels, parents, strict=True)
        for label, above in sorted(found.items())
    )
