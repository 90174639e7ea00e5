"""Words to a studio: what was understood, what was assumed for want of words, what was not understood.

A designer's words are free; those that are known are found wherever they stand. A colour before a table's material or noun is the table's,
before a wall's noun the wall's, and the first that is neither the wall's.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from itertools import zip_longest
from typing import Any, Final, TypeVar

from pydantic import JsonValue

from vision.imagery.brief import Layout, Light
from vision.imagery.look import Look, Table, Wall
from vision.imagery.scenes.procedural import lexicon
from vision.imagery.scenes.procedural.studio import Depth, Softness, Studio, quiet_studio

_MAX_UNKNOWN: Final = 20
_LIMITS: Final = (0.2, 0.9)  # of `Layout.horizon`


class _Noun(StrEnum):
    WALL = "wall"
    TABLE = "table"


_Meaning = Wall | Table | Light | Softness | Depth | _Noun | None
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """A studio and where it comes from.

    Attributes:
        assumed: names of the studio's fields that nobody spoke of.
        from_style: those that a style picture filled in.
        unknown: words that were passed over, at most twenty.
    """

    studio: Studio
    assumed: tuple[str, ...]
    unknown: tuple[str, ...]
    from_style: tuple[str, ...] = ()

    @property
    def record(self) -> dict[str, JsonValue]:
        """As a scene's record tells it."""
        studio = self.studio
        return {
            "wall": studio.wall.value,
            "table": studio.table.value,
            "softness": studio.softness.value,
            "depth": studio.depth.value,
            "assumed": list(self.assumed),
            "not_understood": list(self.unknown),
            **({"from_style": list(self.from_style)} if self.from_style else {}),
        }


def understand(words: str, layout: Layout, seed: int, look: Look | None = None) -> Understood:
    """Read a brief's words; the layout goes before them, a style picture's look after them, and what none of them says is a quiet studio's."""
    text = words.casefold()
    meanings, unknown = _read(text)
    said: dict[str, Any] = {
        "wall": _wall(meanings),
        "table": _table(meanings),
        "light": layout.light or _first(meanings, Light),
        "softness": _first(meanings, Softness),
        "depth": _first(meanings, Depth),
        "horizon": layout.horizon if layout.horizon is not None else _horizon(text),
    }
    spoken = {name: value for name, value in said.items() if value is not None}
    shown = {name: value for name, value in (look or Look()).said.items() if name not in spoken}
    return Understood(
        studio=replace(quiet_studio(seed), **shown, **spoken),
        assumed=tuple(sorted(set(said) - set(spoken) - set(shown))),
        unknown=unknown,
        from_style=tuple(shown),
    )


def _read(text: str) -> tuple[list[_Meaning], tuple[str, ...]]:
    """The known words' meanings in order, and the unknown words."""
    meanings: list[_Meaning] = []
    unknown: list[str] = []
    for found in _pattern().finditer(text):
        word = found.group()
        if word in _vocabulary():
            meanings.append(_vocabulary()[word])
        elif found.lastgroup == "other":
            unknown.append(word[:40])
    return [one for one in meanings if one is not None], tuple(dict.fromkeys(unknown))[:_MAX_UNKNOWN]


@lru_cache(maxsize=1)
def _vocabulary() -> Mapping[str, _Meaning]:
    meanings: dict[str, _Meaning] = {word: None for idle in lexicon.IDLE for word in idle.split()}
    meanings |= {word: _Noun.WALL for words in lexicon.WALL_NOUNS for word in words}
    meanings |= {word: _Noun.TABLE for words in lexicon.TABLE_NOUNS for word in words}
    for table in (lexicon.WALLS, lexicon.TABLES, lexicon.LIGHTS, lexicon.SOFTNESSES, lexicon.DEPTHS):
        for meaning, (english, chinese) in table.items():
            meanings |= dict.fromkeys((*english, *chinese), meaning)
    return meanings


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    """Horizons, then known words, the longest first, then any other word. Latin words match whole, Chinese ones anywhere."""
    known = sorted(_vocabulary(), key=len, reverse=True)
    latin = "|".join(re.escape(word) for word in known if word.isascii())
    chinese = "|".join(re.escape(word) for word in known if not word.isascii())
    horizon = f"(?:{'|'.join(lexicon.HORIZON)})" + r"\s*\d{2}\b"
    return re.compile(rf"{horizon}|\b(?:{latin})\b|{chinese}|(?P<other>[a-z]+(?:['-][a-z]+)*|[^\W\d_a-z]+?)")


def _wall(meanings: list[_Meaning]) -> Wall | None:
    loose: Wall | None = None
    of_table: Wall | None = None
    for one, following in _pairs(meanings):
        if not isinstance(one, Wall):
            continue
        if following is _Noun.WALL:
            return one
        if isinstance(following, Table) or following is _Noun.TABLE:
            of_table = of_table or one
        else:
            loose = loose or one
    if loose is None and _table(meanings) is Table.PLAIN:
        return of_table  # a plain table takes its colour from the wall
    return loose


def _table(meanings: list[_Meaning]) -> Table | None:
    for one, following in _pairs(meanings):
        if isinstance(one, Table) and following is not _Noun.WALL:
            return one
    coloured = any(isinstance(one, Wall) and following is _Noun.TABLE for one, following in _pairs(meanings))
    return Table.PLAIN if coloured else None


def _pairs(meanings: list[_Meaning]) -> Iterator[tuple[_Meaning, _Meaning]]:
    return zip_longest(meanings, meanings[1:])


def _first(meanings: list[_Meaning], kind: type[_Value]) -> _Value | None:
    return next((one for one in meanings if isinstance(one, kind)), None)


def _horizon(text: str) -> float | None:
    found = re.search(rf"(?:{'|'.join(lexicon.HORIZON)})\s*(\d{{2}})\b", text)
    return min(max(int(found.group(1)) / 100, _LIMITS[0]), _LIMITS[1]) if found else None
