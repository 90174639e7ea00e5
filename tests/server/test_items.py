"""Products are kept with what is to be known of all their photos."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from server.cataloguing import Cataloguing, Product
from server.decoding import DecodePool
from server.indexing import Indexing
from server.items import Entering, Items
from server.loading import CatalogModel
from server.storage.blobs import open_blobs
from server.storage.catalog_items import CatalogItems
from server.storage.database import open_database
from tests.catalog_bundles import photo
from vision.image import ImageLimits, encode_png

pytestmark = pytest.mark.asyncio


@dataclass(frozen=True)
class Kept:
    """Where products go, and what is known of them there."""

    items: Items
    rows: CatalogItems


@pytest_asyncio.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    database, pool = open_database(f"sqlite:///{tmp_path / 'results.db'}"), DecodePool(2)
    rows = CatalogItems(database)
    indexing = Indexing(rows, tmp_path / "index")
    items = Items(
        Cataloguing(pool, ImageLimits()),
        rows,
        indexing,
        open_blobs(str(tmp_path / "photos")),
        keep_originals=False,
    )
    yield Kept(items, rows)
    await indexing.close()
    pool.close()
    database.close()


def png(kind: str, seed: int = 0) -> bytes:
    return encode_png(photo(kind, seed))


def entering(item_id: str, *photos: bytes) -> Entering:
    return Entering(item_id=item_id, product=Product(photos=photos), by="kim", deadline=time.monotonic() + 60)


async def test_photos_that_cannot_be_judged_are_remembered_by_their_digests(
    kept: Kept, shop: CatalogModel
) -> None:
    dark = encode_png(np.zeros((128, 128, 3), np.uint8))

    entered = await kept.items.enter(shop, entering("a", dark, png("tees", 1)))

    row = await asyncio.to_thread(kept.rows.find, "a")
    assert len(entered.photos) == 1
    assert row.unjudged == (hashlib.sha256(dark).hexdigest(),)
    assert row.sent == {hashlib.sha256(one).hexdigest() for one in (dark, png("tees", 1))}


async def test_of_copies_that_are_handed_in_at_once_each_pair_is_told(kept: Kept, shop: CatalogModel) -> None:
    names = [f"copy{number}" for number in range(6)]

    entered = await asyncio.gather(*(kept.items.enter(shop, entering(name, png("tees"))) for name in names))

    told = {
        frozenset({name, one.item_id})
        for name, answer in zip(names, entered, strict=True)
        for _, one in answer.duplicates
    }
    assert told == {frozenset(pair) for pair in combinations(names, 2)}
