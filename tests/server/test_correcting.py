"""What people say is filled in from the tree, and checked against it; of the test set nothing is learned, whatever becomes of its photos."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.correcting import Correcting, Kind, completed, of_today, read_frozen
from server.loading import Opening
from server.models import Models
from server.storage.catalog_items import CatalogItems
from server.storage.database import Database, open_database
from server.storage.feedback import FeedbackBook
from tests.catalog_bundles import TREE
from tests.server.storage.test_catalog_items import row, word
from vision.errors import CatalogError, SettingsError


def test_the_levels_above_follow_where_there_is_one_way() -> None:
    assert completed(TREE, {"kind": "sneakers"}) == {
        "department": "footwear",
        "family": "shoes",
        "kind": "sneakers",
    }
    # a family without kinds stands for itself below
    assert completed(TREE, {"family": "belts"}) == {
        "department": "clothing",
        "family": "belts",
        "kind": "belts",
    }


def test_what_does_not_follow_is_left_open() -> None:
    assert completed(TREE, {"kind": "wool_socks"}) == {"family": "socks", "kind": "wool_socks"}
    assert completed(TREE, {"kind": "wool_socks", "department": "footwear"})["department"] == "footwear"
    assert completed(TREE, {"department": "clothing"}) == {"department": "clothing"}


def test_labels_of_different_ways_are_refused() -> None:
    with pytest.raises(CatalogError, match="one way through the tree, found family 'tops', kind 'sneakers'"):
        completed(TREE, {"family": "tops", "kind": "sneakers"})


@given(st.sampled_from(range(len(TREE.paths))), st.sets(st.sampled_from(TREE.levels), min_size=1))
def test_whatever_levels_of_a_way_are_told_the_rest_agrees_with_it(place: int, told: set[str]) -> None:
    way = {
        level: TREE.labels(level)[int(label)]
        for level, label in zip(TREE.levels, TREE.paths[place], strict=True)
    }

    found = completed(TREE, {level: way[level] for level in told})

    assert told <= found.keys()
    assert found.items() <= way.items()


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"kind": "loafers"}, {"department": "footwear", "family": "shoes", "kind": "sneakers"}),
        # what it lay under in the earlier tree is not above it today
        (
            {"department": "clothing", "family": "tops", "kind": "loafers"},
            {"department": "footwear", "family": "shoes", "kind": "sneakers"},
        ),
        ({"family": "socks"}, {"family": "socks"}),
        (
            {"family": "shoes", "kind": "ghost"},
            {"department": "footwear", "family": "shoes", "kind": "ghost"},
        ),
        ({"brand": "acme"}, {"brand": "acme"}),
        ({}, {}),
    ],
    ids=str,
)
def test_labels_of_an_earlier_tree_are_put_into_todays(
    labels: dict[str, str], expected: dict[str, str]
) -> None:
    tree = replace(TREE, moved={"kind": {"loafers": "sneakers"}})

    assert of_today(tree, labels) == expected


@given(st.sampled_from(range(len(TREE.paths))), st.sets(st.sampled_from(TREE.levels)))
def test_in_the_same_tree_what_people_said_stays_as_it_was_kept(place: int, told: set[str]) -> None:
    way = {
        level: TREE.labels(level)[int(label)]
        for level, label in zip(TREE.levels, TREE.paths[place], strict=True)
    }
    kept = completed(TREE, {level: way[level] for level in told}) if told else {}

    assert of_today(TREE, kept) == kept


def test_digests_are_read_as_sha256sum_writes_them(tmp_path: Path) -> None:
    (tmp_path / "frozen").write_text(f"{'A' * 64}  a.jpg\n\n{'b' * 64} *b c.jpg\n")

    assert read_frozen(tmp_path / "frozen") == {"a" * 64, "b" * 64}
    assert read_frozen(None) == frozenset()


def test_a_line_that_is_no_digest_is_named(tmp_path: Path) -> None:
    (tmp_path / "frozen").write_text(f"{'a' * 64}\nphoto.jpg\n")

    with pytest.raises(SettingsError, match=r"frozen: line 2: expected a SHA-256 in hex, found 'photo.jpg'"):
        read_frozen(tmp_path / "frozen")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_frozen(tmp_path / "nowhere")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'results.db'}")
    yield opened
    opened.close()


def test_a_product_is_of_the_test_set_by_a_photo_that_could_not_be_judged(
    database: Database, tmp_path: Path
) -> None:
    items, book = CatalogItems(database), FeedbackBook(database)
    items.put(row("tested", unjudged=("e" * 64,)))
    book.add(word("tested", "kim", "sandals"))
    correcting = Correcting(Models(tmp_path, Opening()), items, book, frozen=frozenset({"e" * 64}))

    taken = asyncio.run(correcting.take())

    assert (taken.lessons, taken.frozen) == ((), 1)


def test_lessons_of_one_model_are_not_mixed_with_anothers(database: Database, tmp_path: Path) -> None:
    """Their labels are of different trees."""
    items, book = CatalogItems(database), FeedbackBook(database)
    for name in ("shoes", "toys"):
        items.put(row(name, model_name=name))
        book.add(word(name, "kim", "sandals"))
    correcting = Correcting(Models(tmp_path, Opening()), items, book)

    taken = {model: asyncio.run(correcting.take(model=model)) for model in ("shoes", "toys", "", "none")}

    found = {model: [one.item.id for one in its.lessons] for model, its in taken.items()}
    assert found == {"shoes": ["shoes"], "toys": ["toys"], "": ["shoes", "toys"], "none": []}
    assert [its.kinds[Kind.CORRECTION] for its in taken.values()] == [1, 1, 2, 0]
