"""What is wrong with a tree of categories, found before anything is learned or answered with it.

Takes levels, categories and what has moved; gives every fault found, each with the category and field that it concerns. It knows no
file: whoever read the categories from one knows their rows.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from typing import Final

from vision.catalog.category import Category
from vision.catalog.folding import fold, nearest
from vision.errors import CatalogError

MAX_PATHS: Final = 1_000_000  # ways through the tree: with several parents they multiply from level to level
_TOLD: Final = 20
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")

Node = tuple[str, str]  # level and id


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        index: of the category that it concerns, where it is one.
        level: where it concerns a level or what has moved there.
        id: of the category, or the old one that has moved.
    """

    complaint: str
    field: str
    index: int | None = None
    level: str = ""
    id: str = ""

    def where(self) -> str:
        """Level, category and field, as far as it concerns one."""
        where = [f"level '{self.level}'"] if self.level else []
        where += [f"category '{self.id}'"] if self.id else []
        return ": ".join([*where, self.field])


class FaultyTaxonomyError(CatalogError):
    """A tree has faults; the message has a line for each, up to a number that people still read.

    Args:
        where: what a line begins with; whoever read the tree from a file says the row and the column.
    """

    def __init__(self, faults: Sequence[Fault], where: Callable[[Fault], str] = Fault.where) -> None:
        lines = [f"{where(fault)}: {fault.complaint}" for fault in faults[:_TOLD]]
        if len(faults) > _TOLD:
            lines.append("and more")
        super().__init__("\n".join(lines))
        self.faults = tuple(faults)


def find_faults(
    version: str,
    levels: Sequence[str],
    categories: Sequence[Category],
    moved: Mapping[str, Mapping[str, str]],
) -> tuple[Fault, ...]:
    """Faults of the first kind that is found, since further ones may only follow from those; of many only some."""
    checks: tuple[Callable[[], Iterator[Fault]], ...] = (
        partial(_levels, version, levels),
        partial(_fields, levels, categories),
        partial(_repeated, categories),
        partial(_cycles, levels, categories),
        partial(_parents, levels, categories),
        partial(_namesakes, categories),
        partial(_carried, levels, categories),
        partial(_moves, levels, categories, moved),
    )
    return next((found for check in checks if (found := tuple(islice(check(), _TOLD + 1)))), ())


def _levels(version: str, levels: Sequence[str]) -> Iterator[Fault]:
    if complaint := _unfit(version):
        yield Fault(field="version", complaint=complaint)
    if not levels:
        yield Fault(field="levels", complaint="expected at least one, found none")
    for level in levels:
        if complaint := _unfit(level):
            yield Fault(field="levels", complaint=complaint)
    for level, count in Counter(levels).items():
        if count > 1:
            yield Fault(field="levels", complaint=f"expected each once, found '{level}' {count} times")


def _unfit(text: str) -> str:
    """Why a text cannot be an id or a name; empty where it can."""
    if not text.strip():
        return "expected a text, found none"
    if text != text.strip():
        return f"expected no blanks around it, found {text!r}"
    strange = next((c for c in text if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}), None)
    return f"expected no control characters, found U+{ord(strange):04X} in {text!r}" if strange else ""


def _fields(levels: Sequence[str], categories: Sequence[Category]) -> Iterator[Fault]:
    if not categories:
        yield Fault(field="categories", complaint="expected at least one, found none")
    for index, category in enumerate(categories):
        if category.level not in levels:
            complaint = f"expected one of {', '.join(levels)}, found '{category.level}'"
            yield Fault(index=index, id=category.id, field="level", complaint=complaint)
        texts = [("id", category.id), *(("parents", parent) for parent in category.parents)]
        texts += [(f"names.{tag}", name) for tag, name in category.names.items()]
        texts += [("synonyms", synonym) for synonym in category.synonyms]
        for field, text in texts:
            if complaint := _unfit(text):
                yield _of(category, index, field, complaint)
        for tag in category.names:
            if not _LANGUAGE.fullmatch(tag):
                yield _of(category, index, "names", f"expected a BCP 47 language such as zh, found '{tag}'")


def _of(category: Category, index: int, field: str, complaint: str) -> Fault:
    return Fault(index=index, level=category.level, id=category.id, field=field, complaint=complaint)


def _repeated(categories: Sequence[Category]) -> Iterator[Fault]:
    seen: set[Node] = set()
    for index, category in enumerate(categories):
        if (category.level, category.id) in seen:
            yield _of(category, index, "id", f"expected each id once at a level, found '{category.id}' again")
        seen.add((category.level, category.id))
        for parent, count in Counter(category.parents).items():
            if count > 1:
                yield _of(category, index, "parents", f"expected each once, found '{parent}' {count} times")


def _cycles(levels: Sequence[str], categories: Sequence[Category]) -> Iterator[Fault]:
    """At most one; it is looked for first, since one would otherwise read of levels where a loop is what is wrong."""
    indices = {(category.level, category.id): index for index, category in enumerate(categories)}
    anywhere = _by_id(categories)
    above = dict(zip(levels[1:], levels, strict=False))

    def meant(category: Category, parent: str) -> Iterator[Node]:
        right = (above.get(category.level, ""), parent)
        yield from [right] if right in indices else anywhere.get(parent, ())

    graph = {
        (category.level, category.id): [
            node for parent in category.parents for node in meant(category, parent)
        ]
        for category in categories
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle: list[Node] = error.args[1]
        index = indices[cycle[-1]]
        loop = " > ".join(name for _, name in cycle)
        yield _of(categories[index], index, "parents", f"expected no category above itself, found {loop}")


def _by_id(categories: Iterable[Category]) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {}
    for category in categories:
        found.setdefault(category.id, []).append((category.level, category.id))
    return found


def _parents(levels: Sequence[str], categories: Sequence[Category]) -> Iterator[Fault]:
    at = {level: {category.id for category in categories if category.level == level} for level in levels}
    anywhere = _by_id(categories)
    for index, category in enumerate(categories):
        position = levels.index(category.level)
        if position == 0:
            if category.parents:
                complaint = f"expected none at the first level, found {_listed(category.parents)}"
                yield _of(category, index, "parents", complaint)
            continue
        above = levels[position - 1]
        if not category.parents:
            yield _of(category, index, "parents", f"expected an id of level '{above}', found none")
        for parent in category.parents:
            if parent not in at[above]:
                elsewhere = [level for level, _ in anywhere.get(parent, ())]
                found = f"which is at level {_listed(elsewhere)}" if elsewhere else "which is at no level"
                close = "" if elsewhere else _close(parent, at[above])
                complaint = f"expected an id of level '{above}', found '{parent}', {found}{close}"
                yield _of(category, index, "parents", complaint)


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(f"'{text}'" for text in texts)


def _close(text: str, known: Iterable[str]) -> str:
    close = nearest(text, known)
    return f"; nearest: {_listed(close)}" if close else ""


def _namesakes(categories: Sequence[Category]) -> Iterator[Fault]:
    """Categories below one parent that people could not tell apart."""
    seen: dict[tuple[str, str, str, str], Category] = {}
    for index, category in enumerate(categories):
        names = category.names or {"": category.id}
        for tag, name in names.items():
            for parent in category.parents or ("",):
                other = seen.setdefault((category.level, parent, tag.lower(), fold(name)), category)
                if other is not category:
                    below = f"under '{parent}'" if parent else "at the first level"
                    complaint = f"expected another name than that of '{other.id}' {below}, found '{name}'"
                    yield _of(category, index, f"names.{tag}" if tag else "id", complaint)


def _carried(levels: Sequence[str], categories: Sequence[Category]) -> Iterator[Fault]:
    """Leaves above the last level stand for themselves at every level below, where their ids must be free."""
    parents = {(category.level, parent) for category in categories for parent in category.parents}
    here: dict[str, str] = {}  # ids of leaves above, with their levels
    ways: dict[str, int] = {}
    for position, level in enumerate(levels):
        ways_here: Counter[str] = Counter()
        below = levels[position + 1] if position + 1 < len(levels) else ""
        present = False
        for index, category in enumerate(categories):
            if category.level != level:
                continue
            present = True
            ways_here[category.id] = sum(ways[parent] for parent in category.parents) or 1
            if category.id in here:
                complaint = (
                    f"expected an id that no category without children above has, since that is carried "
                    f"down to this level; found '{category.id}', which is such a one at level '{here[category.id]}'"
                )
                yield _of(category, index, "id", complaint)
        if not present:
            yield Fault(level=level, field="categories", complaint="expected at least one, found none")
        here |= {leaf: level for leaf in ways_here if (below, leaf) not in parents}
        ways = ways_here
        if ways_here.total() > MAX_PATHS:
            complaint = f"expected at most {MAX_PATHS:,} ways through the tree, found {ways_here.total():,}"
            yield Fault(level=level, field="parents", complaint=complaint)
            return


def _moves(
    levels: Sequence[str], categories: Sequence[Category], moved: Mapping[str, Mapping[str, str]]
) -> Iterator[Fault]:
    for level, moves in moved.items():
        if level not in levels:
            complaint = f"expected one of {', '.join(levels)}, found '{level}'"
            yield Fault(level=level, id=next(iter(moves), ""), field="level", complaint=complaint)
            continue
        today = labels_at(levels, categories, level)
        sound: set[str] = set()
        for old in moves:
            complaint = _unfit(old) or _move(old, moves, today, sound)
            if complaint:
                yield Fault(level=level, id=old, field="moved_to", complaint=complaint)


def _move(old: str, moves: Mapping[str, str], today: frozenset[str], sound: set[str]) -> str:
    """Why an old id leads nowhere; those on a way that leads somewhere become `sound`, so that a long one is gone once."""
    if old in today:
        return f"expected an id that is no longer in use, found '{old}', which is"
    way, end = {old: None}, old  # a dict for its order
    while end in moves and end not in sound:
        end = moves[end]
        if end in way:
            return f"expected the way to end, found {' > '.join([*way, end])}"
        way[end] = None
    if end in today or end in sound:
        sound |= way.keys() - {end}
        return ""
    return f"expected an id of today, found {' > '.join(way)}, which is none{_close(end, today)}"


def labels_at(levels: Sequence[str], categories: Iterable[Category], level: str) -> frozenset[str]:
    """The ids at a level, and those of leaves above it."""
    position = {name: index for index, name in enumerate(levels)}
    categories = tuple(categories)
    parents = {(position[one.level] - 1, parent) for one in categories for parent in one.parents}
    return frozenset(
        one.id
        for one in categories
        if one.level == level
        or (position[one.level] < position[level] and (position[one.level], one.id) not in parents)
    )
