"""Indexes follow the database: every server's its own, through kills and long absences, and never further than it goes."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from server.indexing import Follower, Indexing, folded
from server.loading import CatalogModel
from server.storage.catalog_items import CatalogItems, ItemRow
from server.storage.database import open_database
from tests.server.storage.test_catalog_items import row
from vision.catalog.search import journal
from vision.catalog.search.compact import compact
from vision.catalog.search.index import ItemIndex
from vision.errors import StorageError

MODEL, OTHER, DIMENSION = "a" * 64, "b" * 64, 16


@pytest.fixture
def items(tmp_path: Path) -> Iterator[CatalogItems]:
    database = open_database(f"sqlite:///{tmp_path / 'results.db'}")
    yield CatalogItems(database)
    database.close()


def seen(item_id: str, place: int = 0, *, model: str = MODEL) -> ItemRow:
    """An item whose vector points along an axis of its own."""
    vector = compact(np.eye(DIMENSION, dtype=np.float32)[[place]])
    return row(item_id, model_digest=model, vectors=vector.tobytes(), signatures=bytes(32))


def opened(items: CatalogItems, folder: Path) -> Follower:
    return Follower(items, folder, MODEL, DIMENSION)


def known(follower: Follower) -> set[str]:
    return {hit.item_id for hit in follower.index.search(np.ones(DIMENSION, np.float32), 100)}


def test_two_servers_on_one_database_hear_of_each_others_items(items: CatalogItems, tmp_path: Path) -> None:
    one, other = opened(items, tmp_path / "one"), opened(items, tmp_path / "other")
    items.put(seen("a", 0))
    items.put(seen("b", 1))
    one.follow()
    items.put(seen("c", 2))
    items.remove("a", datetime.now(UTC))

    one.follow()
    other.follow()

    assert known(one) == known(other) == {"b", "c"}
    one.close()
    other.close()


def test_an_item_that_another_model_has_placed_anew_leaves_the_index(
    items: CatalogItems, tmp_path: Path
) -> None:
    follower = opened(items, tmp_path / "index")
    items.put(seen("a"))
    items.put(seen("b", 1))
    follower.follow()

    items.put(seen("a", model=OTHER))
    follower.follow()

    assert known(follower) == {"b"}
    follower.close()


def test_an_index_goes_on_where_it_was_and_is_not_made_anew(items: CatalogItems, tmp_path: Path) -> None:
    follower = opened(items, tmp_path / "index")
    items.put(seen("a"))
    follower.follow()
    follower.close()
    journal = max((tmp_path / "index").glob("journal-*"))
    before = journal.read_bytes()
    items.put(seen("b", 1))

    again = opened(items, tmp_path / "index")

    assert known(again) == {"a", "b"}
    assert journal.read_bytes().startswith(before)
    again.close()


def test_an_index_that_missed_a_removal_which_is_forgotten_is_made_anew(
    items: CatalogItems, tmp_path: Path
) -> None:
    follower = opened(items, tmp_path / "index")
    items.put(seen("a"))
    items.put(seen("b", 1))
    follower.follow()
    follower.close()
    items.remove("a", datetime.now(UTC))
    items.forget(datetime.now(UTC) + timedelta(days=1))

    again = opened(items, tmp_path / "index")

    assert known(again) == {"b"}
    again.close()


def that_missed_a_removal(items: CatalogItems, folder: Path) -> Follower:
    """It holds `a` and `b`, and the database has forgotten that `a` was removed."""
    follower = opened(items, folder)
    items.put(seen("a"))
    items.put(seen("b", 1))
    follower.follow()
    items.remove("a", datetime.now(UTC))
    items.forget(datetime.now(UTC) + timedelta(days=1))
    return follower


def test_a_running_index_that_missed_a_removal_which_is_forgotten_is_made_anew(
    items: CatalogItems, tmp_path: Path
) -> None:
    """As of a server that nobody has asked for a month, or that was cut off from the database."""
    follower = that_missed_a_removal(items, tmp_path / "index")
    before = follower.index

    follower.follow()

    assert known(follower) == {"b"}
    assert len(before.search(np.ones(DIMENSION, np.float32), 100)) == 2  # whoever is searching goes on
    items.put(seen("c", 2))
    follower.follow()
    assert known(follower) == {"b", "c"}
    follower.close()


def test_an_index_that_could_not_be_made_anew_is_tried_again(items: CatalogItems, tmp_path: Path) -> None:
    follower = that_missed_a_removal(items, tmp_path / "index")

    follower.index.close()
    with (
        ItemIndex.open(tmp_path / "index", model=MODEL, dimension=DIMENSION),  # as another process would
        pytest.raises(StorageError, match="another process"),
    ):
        follower.follow()

    follower.follow()
    assert known(follower) == {"b"}
    follower.close()


def test_an_index_of_another_database_is_not_believed(items: CatalogItems, tmp_path: Path) -> None:
    """As after a database was restored from a backup: what the index has seen since is not there any more."""
    items.put(seen("a"))
    follower = opened(items, tmp_path / "index")
    follower.close()
    (tmp_path / "index.seen").write_text('{"revision": 99}')

    again = opened(items, tmp_path / "index")

    assert known(again) == {"a"}
    items.put(seen("b", 1))
    again.follow()
    assert known(again) == {"a", "b"}
    again.close()


def test_a_damaged_row_keeps_no_other_from_being_found(items: CatalogItems, tmp_path: Path) -> None:
    follower = opened(items, tmp_path / "index")
    items.put(seen("a"))
    items.put(row("damaged", vectors=bytes(DIMENSION), signatures=bytes(32)))  # of no length
    items.put(row("short", vectors=b"abc", signatures=b""))
    items.put(seen("b", 1))

    follower.follow()

    assert known(follower) == {"a", "b"}
    follower.close()
    (tmp_path / "index.seen").unlink()
    again = opened(items, tmp_path / "index")  # made anew without it
    assert known(again) == {"a", "b"}
    again.close()


def test_many_who_follow_at_once_find_all(items: CatalogItems, tmp_path: Path) -> None:
    follower = opened(items, tmp_path / "index")

    async def put_and_find(place: int) -> bool:
        await asyncio.to_thread(items.put, seen(f"i{place}", place % DIMENSION))
        await asyncio.to_thread(follower.follow)
        return f"i{place}" in follower.index

    async def all_of_them() -> list[bool]:
        return await asyncio.gather(*map(put_and_find, range(30)))

    assert all(asyncio.run(all_of_them()))
    assert len(follower.index) == 30
    follower.close()


def test_names_and_values_are_compared_folded() -> None:
    assert folded({"Season": "SUMMER", "size": " ", "\u200b": "x"}) == {"season": "summer"}


@pytest.mark.asyncio
async def test_an_index_is_closed_with_its_model_and_goes_once_no_item_is_of_that(
    items: CatalogItems, shop: CatalogModel, tmp_path: Path
) -> None:
    dimension, index = shop.categorizer.projection.dimension, tmp_path / "index"
    vector = compact(np.eye(dimension, dtype=np.float32)[[0]])
    items.put(row("a", model_digest=shop.digest, vectors=vector.tobytes(), signatures=bytes(32)))
    old, its = index / OTHER[:16], index / shop.digest[:16]
    Follower(items, old, OTHER, dimension).close()
    (index / "notes").mkdir()
    indexing = Indexing(items, index)
    searched = await indexing.of(shop)

    await indexing.tidy([shop])
    assert sorted(index.iterdir()) == sorted([its, its.with_suffix(".seen"), index / "notes"])

    await indexing.tidy([])
    ItemIndex.open(its, model=shop.digest, dimension=dimension).close()  # nobody has it any more
    assert "a" in searched

    items.remove("a", datetime.now(UTC))
    await indexing.tidy([])
    assert [one.name for one in index.iterdir()] == ["notes"]
    assert len(await indexing.of(shop)) == 0
    await indexing.close()


def test_more_changes_than_the_journal_takes_at_once_are_taken_up_all_the_same(
    items: CatalogItems, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of some hundred items with long attributes."""
    follower = opened(items, tmp_path / "index")
    for place in range(12):
        items.put(seen(f"i{place}", place))
    items.remove("i3", datetime.now(UTC))
    monkeypatch.setattr(journal, "MAX_PAYLOAD", 500)  # two or three of these

    follower.follow()

    assert known(follower) == {f"i{place}" for place in range(12) if place != 3}
    follower.close()
