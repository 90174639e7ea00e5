"""The catalog's items are put, replaced and removed whole, and told of in the order in which that was done."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest

from server.storage.catalog_items import CatalogItems, ItemRow, Photo
from server.storage.catalog_tables import FeedbackState
from server.storage.database import Database
from server.storage.feedback import FeedbackBook, Word
from vision.errors import NotFoundError

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def row(item_id: str, **changes: Any) -> ItemRow:
    values: dict[str, Any] = {
        "changed_at": NOW,
        "by": "kim",
        "model_name": "shop",
        "model_digest": "a" * 64,
        "title": "跑步鞋 👟",
        "attributes": {"season": "Summer"},
        "status": "answered",
        "said": {"department": "footwear", "family": "shoes", "kind": "sneakers"},
        "depth": 2,
        "vectors": bytes(range(16)),
        "signatures": bytes(64),
        "photos": (Photo(sha256="b" * 64, original_sha256="c" * 64),),
    }
    return ItemRow(id=item_id, **values | changes)


def word(item_id: str, by: str, kind: str, *, reviewer: bool = False) -> Word:
    return Word(
        item_id=item_id, labels={"kind": kind}, said={}, depth=0, comment="", by=by, reviewer=reviewer, at=NOW
    )


@pytest.fixture
def items(database: Database) -> CatalogItems:
    return CatalogItems(database)


@pytest.fixture
def book(database: Database) -> FeedbackBook:
    return FeedbackBook(database)


def told(changes: Iterator[ItemRow] | list[ItemRow]) -> list[tuple[str, bool]]:
    return [(one.id, one.removed) for one in changes]


# --- items


def test_an_item_comes_back_as_it_was_put(items: CatalogItems) -> None:
    revision, replaced = items.put(row("a"))

    assert not replaced
    assert items.find("a") == row("a", revision=revision)
    assert items.count("a" * 64) == 1
    assert items.referred_to(["b" * 64, "c" * 64, "d" * 64]) == {"b" * 64, "c" * 64}


def test_an_item_counts_as_far_as_it_was_answered_and_as_people_corrected_it() -> None:
    assert row("a").labels == {"department": "footwear", "family": "shoes"}
    assert row("a", depth=0).labels == {}
    assert row("a", corrected={"kind": "sandals"}).labels == {"kind": "sandals"}


def test_a_reused_id_replaces_the_item_and_never_doubles_it(items: CatalogItems) -> None:
    items.put(row("a"))
    other = (Photo(sha256="e" * 64, original_sha256="f" * 64),)

    _, replaced = items.put(row("a", title="another", photos=other))

    assert replaced
    assert items.find("a").title == "another"
    assert items.count("a" * 64) == 1
    assert items.referred_to(["b" * 64, "e" * 64]) == {"e" * 64}


def test_a_removed_item_is_nowhere_but_among_the_changes(items: CatalogItems) -> None:
    items.put(row("a"))
    items.put(row("b"))

    was = items.remove("a", NOW)

    assert was is not None
    assert was.title == "跑步鞋 👟"
    assert items.remove("a", NOW) is None
    with pytest.raises(NotFoundError, match="item 'a': expected one of the catalog, found none"):
        items.find("a")
    assert told(items.changes(0)) == [("b", False), ("a", True)]
    assert items.changes(0)[-1].title == ""
    assert [one.id for one in items.all()] == ["b"]


def test_changes_are_told_from_a_revision_on_and_each_item_once(items: CatalogItems) -> None:
    for name in "abc":
        items.put(row(name))
    seen = items.head().revision

    items.put(row("b"))

    assert told(items.changes(seen)) == [("b", False)]
    assert told(items.changes(0, limit=2)) == [("a", False), ("c", False)]


def test_a_removed_item_is_forgotten_in_time_and_the_head_says_so(items: CatalogItems) -> None:
    items.put(row("a"))
    items.put(row("b"))
    items.remove("a", NOW)

    assert items.forget(NOW) == 0
    assert items.forget(NOW + timedelta(seconds=1)) == 1

    head = items.head()
    assert head.forgotten == head.revision
    assert told(items.changes(0)) == [("b", False)]


def test_a_refreshed_item_gives_way_to_one_that_came_meanwhile(items: CatalogItems) -> None:
    revision, _ = items.put(row("a"))
    newer = replace(items.find("a"), model_digest="9" * 64)

    assert items.refresh(newer, since=revision)
    assert not items.refresh(replace(newer, title="late"), since=revision)
    assert items.find("a").model_digest == "9" * 64
    assert items.find("a").title == "跑步鞋 👟"


def test_items_put_at_the_same_time_get_revisions_of_their_own(items: CatalogItems) -> None:
    writers = [
        Thread(target=lambda first=first: [items.put(row(f"{first}{n}")) for n in range(10)])
        for first in "abcd"
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    changes = items.changes(0)
    assert len(changes) == 40
    assert [one.revision for one in changes] == sorted({one.revision for one in changes})
    assert items.head().revision == changes[-1].revision


# --- what people say


def test_a_correction_becomes_what_the_item_counts_as_and_is_a_change(
    items: CatalogItems, book: FeedbackBook
) -> None:
    items.put(row("a"))
    seen = items.head().revision

    assert book.add(word("a", "kim", "sandals")) is FeedbackState.ACCEPTED

    assert items.find("a").labels == {"kind": "sandals"}
    assert told(items.changes(seen)) == [("a", False)]


def test_people_who_disagree_take_the_correction_back_until_a_reviewer_decides(
    items: CatalogItems, book: FeedbackBook
) -> None:
    items.put(row("a"))
    book.add(word("a", "kim", "sandals"))

    assert book.add(word("a", "lee", "sneakers")) is FeedbackState.REVIEW
    assert items.find("a").corrected == {}
    assert [one.by for _, one in book.words(FeedbackState.REVIEW)] == ["kim", "lee"]

    assert book.add(word("a", "ada", "sneakers", reviewer=True)) is FeedbackState.ACCEPTED
    assert items.find("a").corrected == {"kind": "sneakers"}
    assert [one.by for _, one in book.words(FeedbackState.ACCEPTED)] == ["lee", "ada"]
    assert [one.by for _, one in book.words(FeedbackState.OVERRULED)] == ["kim"]


def test_words_on_an_unknown_or_a_removed_item_are_refused(items: CatalogItems, book: FeedbackBook) -> None:
    items.put(row("a"))
    items.remove("a", NOW)

    for name in ("a", "b"):
        with pytest.raises(NotFoundError, match=f"item '{name}'"):
            book.add(word(name, "kim", "sandals"))
    assert list(book.words(FeedbackState.ACCEPTED)) == []


def test_an_item_of_the_same_photos_keeps_its_correction_and_one_of_others_loses_it(
    items: CatalogItems, book: FeedbackBook
) -> None:
    items.put(row("a"))
    book.add(word("a", "kim", "sandals"))

    items.put(row("a", title="renamed"))
    assert items.find("a").corrected == {"kind": "sandals"}

    # another model leaves the same photo out, or takes the other one
    other = (Photo(sha256="8" * 64, original_sha256="9" * 64),)
    items.put(row("a", photos=(*row("a").photos, *other)))
    book.add(word("a", "kim", "sandals"))
    for judged, unjudged in ((other, ("c" * 64,)), (row("a").photos, ("9" * 64,))):
        items.put(row("a", photos=judged, unjudged=unjudged))
        assert items.find("a").corrected == {"kind": "sandals"}

    items.put(row("a", photos=(Photo(sha256="e" * 64, original_sha256="f" * 64),)))
    assert items.find("a").corrected == {}
    assert list(book.words(FeedbackState.ACCEPTED)) == []


def test_an_item_of_the_test_set_stays_of_it_while_it_has_one_of_its_photos(items: CatalogItems) -> None:
    same, other = (Photo(sha256=one * 64, original_sha256=one * 64) for one in "ef")
    items.put(row("a", photos=(same,), split="test"))
    items.put(row("a", photos=(same, other)))
    assert items.find("a").split == "test"

    items.put(row("a", photos=(other,), unjudged=("e" * 64,), split="train"))
    assert items.find("a").split == "test"

    items.put(row("a", photos=(Photo(sha256="9" * 64, original_sha256="9" * 64),)))
    assert items.find("a").split == ""


def merged(labels: Mapping[str, str]) -> dict[str, str]:
    """As after sandals and slides became one."""
    return {level: "sandals" if label == "slides" else label for level, label in labels.items()}


def test_what_people_said_of_categories_that_were_merged_is_said_of_todays(
    items: CatalogItems, book: FeedbackBook
) -> None:
    revision, _ = items.put(row("a", said={"kind": "slides"}, depth=1))
    book.add(replace(word("a", "kim", "slides"), said={"kind": "slides"}))
    assert not items.refresh(items.find("a"), since=revision, today=merged)
    assert items.find("a").corrected == {"kind": "slides"}

    again = items.find("a")
    assert items.refresh(again, since=again.revision, today=merged)

    assert items.find("a").labels == {"kind": "sandals"}
    assert [(one.labels, one.said) for _, one in book.words(FeedbackState.ACCEPTED)] == [
        ({"kind": "sandals"}, {"kind": "sandals"})
    ]


def test_people_whose_categories_were_merged_agree(items: CatalogItems, book: FeedbackBook) -> None:
    items.put(row("a"))
    book.add(word("a", "kim", "sandals"))
    assert book.add(word("a", "lee", "slides")) is FeedbackState.REVIEW

    items.put(row("a"), today=merged)

    assert items.find("a").corrected == {"kind": "sandals"}
    assert list(book.words(FeedbackState.REVIEW)) == []
