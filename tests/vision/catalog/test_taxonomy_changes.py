"""Who used the old tree reads what is different in the new one."""

from dataclasses import astuple
from typing import Any

import pytest
from hypothesis import given

from tests.vision.catalog.shops import SHOP, shops
from vision.catalog.taxonomy import Category, Taxonomy
from vision.catalog.taxonomy_changes import changes

NONE: dict[str, list[tuple[str, ...]]] = {
    "added": [],
    "removed": [],
    "renamed": [],
    "merged": [],
    "moved": [],
}
LEVELS = ("top", "leaf")
OLD = (
    Category(level="top", id="a"),
    Category(level="top", id="b"),
    Category(level="leaf", id="x", parents=("a",), names={"zh": "鞋"}),
    Category(level="leaf", id="y", parents=("b",)),
    Category(level="leaf", id="z", parents=("b",)),
)


def tree(*categories: Category, **moved: dict[str, str]) -> Taxonomy:
    return Taxonomy(levels=LEVELS, categories=categories, moved=moved)


def told(old: Taxonomy, new: Taxonomy) -> dict[str, list[tuple[str, ...]]]:
    found = changes(old, new)
    return {kind: [astuple(change) for change in getattr(found, kind)] for kind in NONE}


@given(shops())
def test_a_tree_does_not_differ_from_itself(taxonomy: Taxonomy) -> None:
    assert told(taxonomy, taxonomy) == NONE


def top(*names: str) -> tuple[Category, ...]:
    return tuple(Category(level="top", id=name) for name in names)


def leaf(name: str, *parents: str, **names: str) -> Category:
    return Category(level="leaf", id=name, parents=parents, names=names)


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (tree(*OLD, leaf("w", "a")), {"added": [("leaf", "w", "", "")]}),
        (tree(*OLD[:-1]), {"removed": [("leaf", "z", "", "")]}),
        (tree(*OLD[:-1], leaf("w", "b"), leaf={"z": "w"}), {"renamed": [("leaf", "w", "z", "w")]}),
        (tree(*OLD[:-1], leaf={"z": "y"}), {"merged": [("leaf", "y", "z", "y")]}),
        (
            tree(*OLD[:-2], leaf("w", "b"), leaf={"y": "w", "z": "w"}),
            {"merged": [("leaf", "w", "y", "w"), ("leaf", "w", "z", "w")]},
        ),
        (  # into one that has itself moved and has another name
            tree(*OLD[:-2], leaf("y", "a", en="Boots"), leaf={"z": "y"}),
            {
                "merged": [("leaf", "y", "z", "y")],
                "renamed": [("leaf", "y", "", "en: Boots")],
                "moved": [("leaf", "y", "b", "a")],
            },
        ),
        (tree(*OLD[:-1], leaf("z", "a", "b")), {"moved": [("leaf", "z", "b", "a, b")]}),
        (
            tree(*OLD[:2], leaf("x", "a", zh="鞋子", en="Shoes"), *OLD[3:]),
            {"renamed": [("leaf", "x", "", "en: Shoes"), ("leaf", "x", "zh: 鞋", "zh: 鞋子")]},
        ),
        (  # children of a category with another id have not moved
            tree(*top("a", "c"), OLD[2], leaf("y", "c"), leaf("z", "c"), top={"b": "c"}),
            {"renamed": [("top", "c", "b", "c")]},
        ),
        (  # nor have those of one that became a part of another
            tree(*top("a"), OLD[2], leaf("y", "a"), leaf("z", "a"), top={"b": "a"}),
            {"merged": [("top", "a", "b", "a")]},
        ),
    ],
    ids=["added", "removed", "another id", "merged", "both merged", "merged and moved", "moved", "names", "parent's id", "parents merged"],
)  # fmt: skip
def test_a_difference_is_told_once(new: Taxonomy, expected: dict[str, Any]) -> None:
    assert told(tree(*OLD), new) == NONE | expected


def test_a_level_that_is_no_more_takes_its_categories_along() -> None:
    flat = Taxonomy(levels=("department",), categories=SHOP.categories[:3])
    assert [change.id for change in changes(SHOP, flat).removed] == [
        "shoes",
        "belts",
        "trainers",
        "sandals",
        "belts",
    ]
    assert changes(flat, SHOP).moved == ()


def test_a_category_that_became_a_part_of_its_family_is_merged() -> None:
    new = tree(*top("a", "b"), OLD[2], leaf={"y": "b", "z": "b"})
    assert told(tree(*OLD), new)["merged"] == [("top", "b", "y", "b"), ("top", "b", "z", "b")]
