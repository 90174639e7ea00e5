"""The catalog's items: taken in with photos that say nothing of their takers, and forgotten whole.

Takes products, keeps them in the database, their photos beside it, and their vectors in the index; tells which items show the same
picture. It knows nothing of the wire or of roles.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import numpy as np

from server.batching import Lane
from server.cataloguing import Cataloguing, Order, Placed, Product
from server.correcting import of_today
from server.indexing import Indexing, folded
from server.loading import CatalogModel
from server.storage.blobs import Blobs
from server.storage.catalog_items import CatalogItems, ItemRow, Photo
from vision.catalog.search.compact import compact
from vision.catalog.search.duplicates import Duplicate, near_duplicates
from vision.catalog.search.index import ItemIndex
from vision.catalog.search.signature import signature
from vision.catalog.search.values import check_id, terms_of
from vision.errors import ImageError
from vision.image import Pixels

_NOTHING: Final = "expected a photo that can be judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entering:
    """A product that is to be kept under an id.

    Attributes:
        by: who hands it in.
        split: train, val or test, where that is known.
    """

    item_id: str
    product: Product
    by: str
    deadline: float
    split: str = ""
    lane: Lane = Lane.CATALOG


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """What became of it.

    Attributes:
        replaced: there was one of this id.
        duplicates: items with a photo of this one, each with the place of the uploaded photo.
        photos: as they are kept.
    """

    placed: Placed
    replaced: bool
    duplicates: tuple[tuple[int, Duplicate], ...]
    photos: tuple[Photo, ...]


class Items:
    """Over the database, the photos and the index.

    Args:
        photos: a store of its own: what no item refers to is deleted from it.
        keep_originals: also keep photos as they were sent.
    """

    def __init__(
        self,
        cataloguing: Cataloguing,
        items: CatalogItems,
        indexing: Indexing,
        photos: Blobs,
        *,
        keep_originals: bool,
    ) -> None:
        self._cataloguing, self._items, self._indexing = cataloguing, items, indexing
        self._photos, self._keep_originals = photos, keep_originals

    async def enter(self, model: CatalogModel, entering: Entering) -> Entered:
        """Keep a product in the place of the one of its id; once this returns it is in the database and found.

        Raises:
            InputError: its id or attributes cannot be kept.
            ImageError: it has no photo that can be judged.
            StorageError: it was not kept.
            OverloadedError, DeadlineError, CatalogError: as `Cataloguing.place`.
        """
        check_id(entering.item_id)
        terms_of(frozenset(), folded(entering.product.attributes))
        if not entering.product.photos:
            raise ImageError(f"product.photos: {_NOTHING}, found none")
        placed = await self._cataloguing.place(
            model,
            Order(product=entering.product, deadline=entering.deadline, lane=entering.lane),
        )
        if not len(placed.vectors()):
            raise ImageError(f"product.photos: {_NOTHING}, found: {'; '.join(placed.answer.quality_faults)}")
        given = [photo for photo in entering.product.photos if isinstance(photo, bytes)]
        plain = await self._cataloguing.plain(
            {f"photos[{place}]": given[place] for place in placed.judged},
            deadline=entering.deadline,
            lane=entering.lane,
        )
        row = await asyncio.to_thread(self._kept, entering, placed, plain)
        _, replaced = await asyncio.to_thread(
            self._items.put, row, today=partial(of_today, model.categorizer.taxonomy)
        )
        index = await self._indexing.of(model)
        # only now: of two that are handed in at once, at least one finds the other
        duplicates = await asyncio.to_thread(_duplicates, index, entering.item_id, placed)
        return Entered(placed=placed, replaced=replaced, duplicates=duplicates, photos=row.photos)

    async def remove(self, item_id: str) -> bool:
        """Forget an item, its photos and what people said of it; gives whether there was one.

        Raises:
            StorageError: it is still there.
        """
        return await asyncio.to_thread(self._removed, item_id)

    def _removed(self, item_id: str) -> bool:
        row = self._items.remove(item_id, datetime.now(UTC))
        if row is None:
            return False
        digests = {one for photo in row.photos for one in (photo.sha256, photo.original_sha256)}
        for sha256 in digests - self._items.referred_to(sorted(digests)):
            self._photos.delete(
                sha256, put_at=row.changed_at
            )  # unless another item was just handed in with it
        return True

    def _kept(self, entering: Entering, placed: Placed, plain: Sequence[bytes]) -> ItemRow:
        """The item's row, once its photos are in the store; `plain`: those that were judged, without metadata."""
        given = [photo for photo in entering.product.photos if isinstance(photo, bytes)]
        photos = tuple(self._keep(one, given[place]) for place, one in zip(placed.judged, plain, strict=True))
        unjudged = [photo for place, photo in enumerate(given) if place not in placed.judged]
        return ItemRow(
            id=entering.item_id,
            changed_at=datetime.now(UTC),
            by=entering.by,
            model_name=placed.model.name,
            title=entering.product.title,
            attributes=entering.product.attributes,
            split=entering.split,
            photos=photos,
            unjudged=tuple(hashlib.sha256(photo).hexdigest() for photo in unjudged),
            **seen_by_model(placed),
        )

    def _keep(self, plain: bytes, data: bytes) -> Photo:
        sha256 = self._photos.put(plain)
        original = self._photos.put(data) if self._keep_originals else hashlib.sha256(data).hexdigest()
        return Photo(sha256=sha256, original_sha256=original)


def seen_by_model(placed: Placed) -> dict[str, Any]:
    """The fields of an item's row that another model would fill otherwise."""
    answer = placed.answer
    pictures = [one.image_hwc for one in placed.asked.item.photos]
    return {
        "model_digest": placed.model.digest,
        "status": answer.status.value,
        "said": {one.level: one.label for one in answer.levels},
        "depth": answer.depth,
        "vectors": compact(placed.vectors()).tobytes(),
        "signatures": np.stack([signature(one) for one in pictures]).tobytes(),
    }


def _duplicates(index: ItemIndex, item_id: str, placed: Placed) -> tuple[tuple[int, Duplicate], ...]:
    """Other items with one of these photos: each item once a photo."""
    found: list[tuple[int, Duplicate]] = []
    pictures: Sequence[Pixels] = [one.image_hwc for one in placed.asked.item.photos]
    for place, vector, picture in zip(placed.judged, placed.vectors(), pictures, strict=True):
        same = near_duplicates(index, vector, signature(picture), exclude={item_id})
        found += [(place, one) for one in same]
    return tuple(found)
