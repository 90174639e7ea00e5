"""What nobody asks for any more goes: photos without an item, old answers, and the memory of removed items."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.storage.answers import Answers, KeptAnswer
from server.storage.blobs import Blobs, open_blobs
from server.storage.catalog_items import CatalogItems, Photo
from server.storage.catalog_retention import sweep_catalog
from server.storage.database import Database
from server.storage.feedback import FeedbackBook
from tests.server.storage.test_catalog_items import row, word
from vision.errors import NotFoundError

MONTH = timedelta(days=30)
KEY = ("kim", "Categorize", "r1")


@pytest.fixture
def photos(tmp_path: Path) -> Blobs:
    return open_blobs(str(tmp_path / "photos"))


def test_photos_that_no_item_has_go_after_a_while(database: Database, photos: Blobs) -> None:
    mine, stray = photos.put(b"mine"), photos.put(b"stray")
    CatalogItems(database).put(row("a", photos=(Photo(sha256=mine, original_sha256="0" * 64),)))
    now = datetime.now(UTC)

    early = sweep_catalog(database, photos, now=now, max_age=MONTH)
    later = sweep_catalog(database, photos, now=now + timedelta(minutes=5), max_age=MONTH)

    assert (early.photos, later.photos, later.bytes) == (0, 1, 5)
    assert photos.get(mine) == b"mine"
    with pytest.raises(NotFoundError):
        photos.get(stray)


def test_old_answers_and_removed_items_are_forgotten(database: Database, photos: Blobs) -> None:
    now, items, answers = datetime.now(UTC), CatalogItems(database), Answers(database)
    items.put(row("a"))
    items.remove("a", now)
    answers.keep(KEY, KeptAnswer(payload_sha256="0" * 64, answer=b"said"), now)

    early = sweep_catalog(database, photos, now=now + MONTH / 2, max_age=MONTH)
    later = sweep_catalog(database, photos, now=now + MONTH * 2, max_age=MONTH)

    assert (early.answers, early.items) == (0, 0)
    assert (later.answers, later.items) == (1, 1)
    assert answers.find(*KEY) is None


def test_items_that_are_too_old_expire_with_their_photos_unless_people_have_spoken(
    database: Database, photos: Blobs
) -> None:
    items, now = CatalogItems(database), datetime.now(UTC)
    for name, age in (("old", 40), ("said", 40), ("young", 10)):
        sha256 = photos.put(name.encode())
        photo = Photo(sha256=sha256, original_sha256=sha256)
        items.put(row(name, changed_at=now - timedelta(days=age), photos=(photo,)))
    FeedbackBook(database).add(word("said", "kim", "sandals"))
    later = now + timedelta(minutes=5)

    stay = sweep_catalog(database, photos, now=later, max_age=MONTH)
    swept = sweep_catalog(database, photos, now=later, max_age=MONTH, max_item_age=MONTH)

    assert (stay.expired, stay.photos) == (0, 0)
    assert (swept.expired, swept.photos, swept.bytes) == (1, 1, 3)
    assert set(items.find_all(["old", "said", "young"])) == {"said", "young"}
    assert [one.id for one in items.changes(0) if one.removed] == ["old"], "indexes hear of it"


def test_an_item_that_was_handed_in_again_does_not_expire(database: Database) -> None:
    items, now = CatalogItems(database), datetime.now(UTC)
    items.put(row("a", changed_at=now))

    assert items.remove("a", now, unless_since=now - MONTH) is None
    assert items.find("a").changed_at == now


def test_the_first_answer_to_a_request_holds(database: Database) -> None:
    answers, now = Answers(database), datetime.now(UTC)
    first = KeptAnswer(payload_sha256="0" * 64, answer=b"first")

    assert answers.keep(KEY, first, now) == first
    assert answers.keep(KEY, KeptAnswer(payload_sha256="1" * 64, answer=b"second"), now) == first
    assert answers.find("lee", "Categorize", "r1") is None
