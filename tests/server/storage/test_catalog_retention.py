"""What nobody asks for any more goes: photos without an item, old answers, and the memory of removed items."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.storage.answers import Answers, KeptAnswer
from server.storage.blobs import Blobs, open_blobs
from server.storage.catalog_items import CatalogItems, Photo
from server.storage.catalog_retention import sweep_catalog
from server.storage.database import Database
from tests.server.storage.test_catalog_items import row
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


def test_the_first_answer_to_a_request_holds(database: Database) -> None:
    answers, now = Answers(database), datetime.now(UTC)
    first = KeptAnswer(payload_sha256="0" * 64, answer=b"first")

    assert answers.keep(KEY, first, now) == first
    assert answers.keep(KEY, KeptAnswer(payload_sha256="1" * 64, answer=b"second"), now) == first
    assert answers.find("lee", "Categorize", "r1") is None
