"""What is different between two states of a shop's tree, for the people who have to agree with it.

Takes two taxonomies, gives what was added, removed, renamed, merged and moved. Categories are followed through the newer one's `moved`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vision.catalog.category import Category
from vision.catalog.taxonomy import Taxonomy

_Node = tuple[str, str]  # level and id


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One category, by the id that it has or last had; what was before and what is after, empty where there is nothing to tell."""

    level: str
    id: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Each in the order of the trees.

    Attributes:
        added: stand for nothing of before.
        removed: nothing of today stands for them.
        renamed: another id, or another name (`zh: 鞋`).
        merged: one with others now; `before` is an id that is no more.
        moved: under other parents.
    """

    added: tuple[Change, ...]
    removed: tuple[Change, ...]
    renamed: tuple[Change, ...]
    merged: tuple[Change, ...]
    moved: tuple[Change, ...]


def changes(old: Taxonomy, new: Taxonomy) -> Changes:
    """What one has to know who used `old` and will use `new`."""
    heirs = {
        _node(one): new.category(one.level, today)
        for one in old.categories
        if one.level in new.levels and (today := new.today(one.level, one.id))
    }
    ancestors = Counter(map(_node, heirs.values()))
    kept = [(one, heirs[_node(one)]) for one in old.categories if _node(one) in heirs]
    same = [(one, heir) for one, heir in kept if ancestors[_node(heir)] == 1 or _node(one) == _node(heir)]
    above = dict(zip(old.levels[1:], old.levels, strict=False))
    return Changes(
        added=tuple(_change(one) for one in new.categories if _node(one) not in ancestors),
        removed=tuple(_change(one) for one in old.categories if _node(one) not in heirs),
        renamed=tuple(change for one, heir in same for change in _renamed(one, heir)),
        merged=tuple(
            _change(heir, one.id, heir.id)
            for one, heir in kept
            if ancestors[_node(heir)] > 1 and _node(one) != _node(heir)
        ),
        moved=tuple(
            _change(heir, ", ".join(one.parents), ", ".join(heir.parents))
            for one, heir in same
            if _todays_parents(one, heirs, above) != set(heir.parents)
        ),
    )


def _todays_parents(
    category: Category, heirs: Mapping[_Node, Category], above: Mapping[str, str]
) -> set[str]:
    nodes = [(above[category.level], parent) for parent in category.parents]
    return {heirs[node].id if node in heirs else node[1] for node in nodes}


def _node(category: Category) -> _Node:
    return category.level, category.id


def _change(category: Category, before: str = "", after: str = "") -> Change:
    return Change(level=category.level, id=category.id, before=before, after=after)


def _renamed(before: Category, after: Category) -> Iterator[Change]:
    if before.id != after.id:
        yield _change(after, before.id, after.id)
    for language in sorted(before.names.keys() | after.names.keys()):
        names = [one.names.get(language, "") for one in (before, after)]
        if names[0] != names[1]:
            yield _change(after, *(f"{language}: {name}" if name else "" for name in names))
