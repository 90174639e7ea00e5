"""What a shop's tree answers: class names, ways from top to leaf, ids of today, and categories by their words."""

import json
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vision.catalog.shops import LEVELS, SHOP, shops
from vision.catalog.folding import fold
from vision.catalog.taxonomy import Category, Taxonomy
from vision.errors import CatalogError


def ids(found: Sequence[Category]) -> list[str]:
    return [category.id for category in found]


def named_paths(taxonomy: Taxonomy) -> list[tuple[str, ...]]:
    labels = [taxonomy.labels(level) for level in taxonomy.levels]
    return [tuple(labels[at][index] for at, index in enumerate(path)) for path in taxonomy.paths.tolist()]


def test_the_classes_of_a_level_are_its_ids_and_the_leaves_above_it_sorted() -> None:
    assert SHOP.labels("department") == ("cards", "clothes", "sports")
    assert SHOP.labels("family") == ("belts", "cards", "shoes")
    assert SHOP.labels("kind") == ("belts", "cards", "sandals", "trainers")


def test_a_category_with_two_parents_lies_on_a_way_from_each_and_a_leaf_repeats_itself_downwards() -> None:
    assert named_paths(SHOP) == [
        ("cards", "cards", "cards"),
        ("clothes", "belts", "belts"),
        ("clothes", "shoes", "sandals"),
        ("clothes", "shoes", "trainers"),
        ("sports", "shoes", "sandals"),
        ("sports", "shoes", "trainers"),
    ]
    assert SHOP.paths.dtype == np.int64
    assert SHOP.paths.tolist() == sorted(SHOP.paths.tolist())


def test_the_paths_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        SHOP.paths[0, 0] = 1


@given(shops())
def test_each_path_descends_from_parent_to_child_and_every_class_lies_on_one(taxonomy: Taxonomy) -> None:
    paths = named_paths(taxonomy)
    assert len(set(paths)) == len(paths) > 0
    assert taxonomy.paths.tolist() == sorted(taxonomy.paths.tolist())
    for at, level in enumerate(taxonomy.levels):
        assert {path[at] for path in paths} == set(taxonomy.labels(level))
    for path in paths:
        for above, (label, level) in zip(path, zip(path[1:], taxonomy.levels[1:], strict=True), strict=False):
            category = taxonomy.category(level, label)
            assert above in category.parents if category.level == level else above == label


@given(shops())
def test_label_tuples_span_a_tree_that_holds_each_of_them(taxonomy: Taxonomy) -> None:
    paths = [
        tuple(dict.fromkeys(path)) for path in named_paths(taxonomy)
    ]  # without what was carried down, as a manifest has them
    again = Taxonomy.from_paths(taxonomy.levels[: max(map(len, paths))], [*paths, *paths])
    assert {tuple(dict.fromkeys(path)) for path in named_paths(again)} >= set(paths)


@given(shops())
def test_a_tree_is_the_same_after_its_journey_as_json(taxonomy: Taxonomy) -> None:
    assert Taxonomy.from_json(taxonomy.to_json()) == taxonomy


def test_json_keeps_languages_synonyms_and_what_has_moved() -> None:
    text = SHOP.to_json()
    assert "跑步鞋" in text
    assert Taxonomy.from_json(text.encode()) == SHOP
    assert pickle.loads(pickle.dumps(SHOP)) == SHOP  # noqa: S301  (our own)
    assert len({SHOP, Taxonomy.from_json(text)}) == 1


def test_label_tuples_may_repeat_end_early_and_give_a_family_its_only_members_name() -> None:
    taxonomy = Taxonomy.from_paths(
        LEVELS, [("a", "belts", "belts"), ("a", "belts", "belts"), ("b", "", ""), ("c",), ("a", "shoes")]
    )
    assert named_paths(taxonomy) == [
        ("a", "belts", "belts"),
        ("a", "shoes", "shoes"),
        ("b", "b", "b"),
        ("c", "c", "c"),
    ]


@pytest.mark.parametrize("path", [(), ("", "", ""), ("a", "", "c"), ("", "b", "c"), ("a", "b", "c", "d")])
def test_label_tuples_with_a_gap_or_too_many_labels_are_refused(path: tuple[str, ...]) -> None:
    with pytest.raises(
        CatalogError, match=r"labels: expected one for each of department, family, kind.*found"
    ):
        Taxonomy.from_paths(LEVELS, [("a", "b", "c"), path])


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("trainers", "trainers"),
        ("sneakers", "trainers"),  # renamed
        ("joggers", "trainers"),  # renamed twice
        ("cards", "cards"),  # carried down
        ("vouchers", "cards"),  # merged into what was carried down
    ],
)
def test_an_id_of_the_past_becomes_todays(asked: str, expected: str) -> None:
    assert SHOP.label("kind", asked) == expected
    assert SHOP.today("kind", asked) == expected


def test_a_label_that_the_tree_does_not_hold_is_named_with_the_nearest() -> None:
    with pytest.raises(
        CatalogError,
        match="level 'kind': expected an id of the taxonomy, found 'Sandal'; nearest: 'sandals'",
    ):
        SHOP.label("kind", "Sandal")
    with pytest.raises(CatalogError, match=r"found '量子'$"):
        SHOP.label("kind", "量子")
    assert SHOP.today("kind", "Sandal") is None


def test_a_level_that_the_tree_does_not_have_is_named() -> None:
    for ask in (SHOP.labels, lambda level: SHOP.label(level, "shoes")):
        with pytest.raises(
            CatalogError, match="level: expected one of department, family, kind, found 'sort'"
        ):
            ask("sort")


@pytest.mark.parametrize(
    ("level", "label", "language", "name"),
    [
        ("family", "shoes", "en", "Shoes"),
        ("family", "shoes", "zh", "鞋"),
        ("family", "shoes", "zh-Hant-TW", "鞋"),  # shortened
        ("family", "shoes", "de", "Shoes"),  # English rather than nothing
        ("kind", "trainers", "ZH-hant-TW", "跑步鞋"),  # case does not matter
        ("kind", "trainers", "zh", "Running shoes"),  # zh-Hant is not asked for
        ("kind", "sandals", "zh", "Sandalen"),  # the language of a name that nobody told
        ("kind", "belts", "zh", "belts"),  # no name at all
        ("kind", "cards", "zh", "礼品卡"),  # carried down
        ("kind", "sneakers", "en", "Running shoes"),  # of the past
    ],
)
def test_a_name_is_told_in_the_nearest_language_there_is(
    level: str, label: str, language: str, name: str
) -> None:
    assert SHOP.name(level, label, language) == name


@pytest.mark.parametrize(
    ("words", "language", "expected"),
    [
        ("shoes", None, ["shoes", "trainers"]),  # exact before in part
        ("  SHOES ", None, ["shoes", "trainers"]),
        ("ＳＨＯＥＳ", None, ["shoes", "trainers"]),  # full width
        ("鞋", None, ["shoes", "trainers"]),
        ("鞋", "en", ["shoes"]),  # by a synonym, which has no language
        ("footwear", "zh", ["shoes"]),
        ("gift", "en", ["cards"]),
        ("gift", "zh", []),
        ("belts", None, ["belts", "belts"]),  # family and kind
        ("boat", None, []),
        ("", None, []),
        ("\u200b \x00", None, []),
    ],
)
def test_categories_are_found_by_any_of_their_words(
    words: str, language: str | None, expected: list[str]
) -> None:
    assert ids(SHOP.find(words, language)) == expected


@given(shops(), st.text(max_size=3))
def test_what_is_named_is_what_is_found_by_its_whole_words(taxonomy: Taxonomy, word: str) -> None:
    words = {one for category in (*SHOP.categories, *taxonomy.categories) for one in category.words()}
    for tree in (SHOP, taxonomy):
        for one in (*words, word, f"  {word.upper()} "):
            assert tree.named(one) == tuple(found for found in tree.find(one) if fold(one) in found.words())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mood": 1}, "shop.json: mood: Extra inputs"),
        ({"levels": None}, "shop.json: levels: Input should be a valid"),
        ({"version": " "}, "shop.json: version: expected a text, found none"),
        ({"categories": [{"level": "kind"}]}, r"shop.json: categories\.0\.id: Field required"),
        ({"categories": []}, "shop.json: categories: expected at least one, found none"),
        (
            {"levels": ["kind"]},
            "shop.json: category 'clothes': level: expected one of kind, found 'department'",
        ),
    ],
)
def test_json_that_is_no_taxonomy_is_refused_with_the_field(change: dict[str, Any], message: str) -> None:
    text = json.dumps(json.loads(SHOP.to_json()) | change)
    with pytest.raises(CatalogError, match=message):
        Taxonomy.from_json(text, source="shop.json")


@pytest.mark.parametrize("text", ["", "[]", "{", b"\xff\xfe", "[" * 100_000])
def test_what_is_no_json_object_is_refused(text: str | bytes) -> None:
    with pytest.raises(CatalogError, match=r"^taxonomy\.json: "):
        Taxonomy.from_json(text)
