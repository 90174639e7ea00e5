"""Items are placed anew by another version of their model, and what people said of them goes along."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from server.cataloguing import Cataloguing
from server.decoding import DecodePool
from server.loading import Opening
from server.models import Models
from server.refreshing import Refreshing
from server.storage.blobs import Blobs, open_blobs
from server.storage.catalog_items import CatalogItems, Photo
from server.storage.database import open_database
from server.storage.feedback import FeedbackBook
from tests.catalog_bundles import TREE, make_catalog_bundle, photo
from tests.server.storage.test_catalog_items import row, word
from vision.catalog.spec import TAXONOMY
from vision.image import ImageLimits, encode_png


@dataclass(frozen=True)
class Shop:
    """A shop whose `loafers` have become `sneakers`, and that has items of before."""

    folder: Path
    pool: DecodePool
    rows: CatalogItems
    book: FeedbackBook
    photos: Blobs

    def keep(self, item_id: str, seed: int = 0) -> str:
        """An item as the earlier version left it; gives the digest of its photo."""
        sha256 = self.photos.put(encode_png(photo("sneakers", seed)))
        its = (Photo(sha256=sha256, original_sha256=sha256),)
        self.rows.put(row(item_id, model_digest="0" * 64, said={"kind": "loafers"}, depth=1, photos=its))
        return sha256

    async def refreshed(self) -> int:
        models = Models(self.folder, Opening(max_batch=1))
        await models.load_all()
        cataloguing = Cataloguing(self.pool, ImageLimits())
        done = await Refreshing(models, cataloguing, self.rows, self.photos).refresh()
        await models.close()
        return done


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Shop]:
    tree = replace(TREE, moved={"kind": {"loafers": "sneakers"}})
    make_catalog_bundle(
        tmp_path / "models" / "shop-2.loupe", version="2", contents={TAXONOMY: tree.to_json().encode()}
    )
    database, pool = open_database(f"sqlite:///{tmp_path / 'results.db'}"), DecodePool(1)
    yield Shop(
        folder=tmp_path / "models",
        pool=pool,
        rows=CatalogItems(database),
        book=FeedbackBook(database),
        photos=open_blobs(str(tmp_path / "photos")),
    )
    pool.close()
    database.close()


def test_a_correction_to_a_category_that_has_moved_is_one_to_todays(kept: Shop) -> None:
    kept.keep("a")
    kept.book.add(word("a", "kim", "loafers"))

    assert asyncio.run(kept.refreshed()) == 1

    assert kept.rows.find("a").corrected == {
        "department": "footwear",
        "family": "shoes",
        "kind": "sneakers",
    }


def test_a_photo_that_a_power_cut_tore_keeps_no_other_item_from_its_place(kept: Shop) -> None:
    torn = kept.keep("torn", 1)
    kept.keep("whole", 2)
    (path,) = Path(kept.photos.name).rglob(torn)
    path.write_bytes(path.read_bytes()[:100])

    assert asyncio.run(kept.refreshed()) == 1

    assert kept.rows.find("whole").model_digest != "0" * 64
    assert kept.rows.find("torn").model_digest == "0" * 64
