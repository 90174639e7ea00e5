"""Items placed anew when another version of their model is served: vectors of two models cannot be compared.

Goes through the kept photos behind everything else that waits (lane bulk), and leaves an item alone that has changed meanwhile. Until
its turn comes an item is not found through the new model; what people said of it stays, by the new model's ids.
"""

import asyncio
import time
from dataclasses import replace
from functools import partial
from typing import Final

import structlog

from server.batching import Lane
from server.cataloguing import Cataloguing, Order, Placed, Product
from server.correcting import of_today
from server.items import seen_by_model
from server.loading import CatalogModel
from server.models import Models
from server.storage.blobs import Blobs
from server.storage.catalog_items import CatalogItems, ItemRow
from vision.errors import ImageError, InputError, OverloadedError, StorageError

_DEADLINE_S: Final = 600.0
_PAGE: Final = 100
_LOG: Final = structlog.get_logger("server.catalog")


class Refreshing:
    """Over the served models and the kept items."""

    def __init__(self, models: Models, cataloguing: Cataloguing, items: CatalogItems, photos: Blobs) -> None:
        self._models, self._cataloguing, self._items, self._photos = models, cataloguing, items, photos

    async def refresh(self) -> int:
        """Place anew what another version of a served model has placed; gives how many items that were.

        Raises:
            StorageError: the database does not answer.
        """
        after, done = 0, 0
        until = (await asyncio.to_thread(self._items.head)).revision
        while page := await asyncio.to_thread(self._items.changes, after, _PAGE):
            for row in page:
                model = self._stale(row)
                if model is not None and row.revision <= until:
                    done += await self._one(model, row)
            after = page[-1].revision
        if done:
            _LOG.info("items placed anew", items=done)
        return done

    def _stale(self, row: ItemRow) -> CatalogModel | None:
        """The model that would place an item differently now."""
        served = {model.name: model for model in self._models.catalogs()}
        model = served.get(row.model_name)
        return None if model is None or model.digest == row.model_digest else model

    async def _one(self, model: CatalogModel, row: ItemRow) -> bool:
        try:
            placed = await self._placed(model, row)
            return await asyncio.to_thread(
                self._items.refresh,
                refreshed(row, placed),
                since=row.revision,
                today=partial(of_today, model.categorizer.taxonomy),
            )
        except InputError as error:  # such as a photo that is gone, damaged, or cannot be judged any more
            _LOG.error("item not placed anew", item=row.id, why=str(error))
            return False

    async def _photo(self, sha256: str) -> bytes:
        try:
            return await asyncio.to_thread(self._photos.get, sha256)
        except StorageError as error:  # of one photo: it must not keep the others waiting
            raise ImageError(str(error)) from error

    async def _placed(self, model: CatalogModel, row: ItemRow) -> Placed:
        photos = tuple([await self._photo(one.sha256) for one in row.photos])
        product = Product(photos=photos, title=row.title, attributes=row.attributes)
        while True:
            order = Order(product=product, deadline=time.monotonic() + _DEADLINE_S, lane=Lane.BULK)
            try:
                return await self._cataloguing.place(model, order)
            except OverloadedError as error:
                await asyncio.sleep(error.retry_after_s)


def refreshed(row: ItemRow, placed: Placed) -> ItemRow:
    """The item as another model sees it.

    Raises:
        InputError: none of its photos can be judged by that.
    """
    if not len(placed.vectors()):
        raise InputError(f"item {row.id!r}: expected a photo that can be judged, found none")
    photos = tuple(row.photos[place] for place in placed.judged)
    unjudged = row.sent - {photo.original_sha256 for photo in photos}
    return replace(row, photos=photos, unjudged=tuple(sorted(unjudged)), **seen_by_model(placed))
