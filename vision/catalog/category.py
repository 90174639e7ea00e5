"""One category of a shop, its names in several languages, and the words by which it is found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from vision.catalog.folding import fold

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
        yield fold(self.id)
        if language is None:
            yield from map(fold, self.names.values())
        else:
            yield fold(self.name(language))
        yield from map(fold, self.synonyms)
