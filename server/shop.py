"""The catalog's part of a server: its services, put together once."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from server.cataloguing import Cataloguing
from server.checking import Checking
from server.config import Catalog
from server.correcting import Correcting, read_frozen
from server.decoding import DecodePool
from server.indexing import Indexing
from server.inspecting import Inspecting
from server.items import Items
from server.metrics import Metrics
from server.models import Models
from server.refreshing import Refreshing
from server.rpc.catalog import CatalogServices
from server.rpc.verdicts import Verdicts
from server.searching import Searching
from server.storage.answers import Answers
from server.storage.blobs import Blobs, open_blobs
from server.storage.catalog_items import CatalogItems
from server.storage.catalog_retention import CatalogSwept, sweep_catalog
from server.storage.database import Database
from server.storage.feedback import FeedbackBook
from vision.errors import LoupeError
from vision.image import ImageLimits

_LOOK_EVERY_S: Final = 3600.0
_LOG: Final = structlog.get_logger("server.catalog")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What the catalog is carried out by, and what has to be opened, swept and closed."""

    services: CatalogServices
    indexing: Indexing
    photos: Blobs
    refreshing: Refreshing
    database: Database
    models: Models
    max_item_age: timedelta | None

    async def open_indexes(self) -> None:
        """Bring the index of every served catalog model up to date; one that cannot be is tried again when it is asked for."""
        for model in self.models.catalogs():
            try:
                await self.indexing.of(model)
            except LoupeError as error:
                _LOG.error("index not opened", model=model.name, why=str(error))

    async def tidy_indexes(self) -> None:
        """Let go of the indexes that are of no served model (`Indexing.tidy`)."""
        try:
            await self.indexing.tidy(self.models.catalogs())
        except LoupeError as error:  # tried again next time
            _LOG.warning("indexes not tidied", why=str(error))

    async def sweep(self, now: datetime, max_age: timedelta) -> CatalogSwept:
        """As `sweep_catalog`."""
        return await asyncio.to_thread(
            sweep_catalog,
            self.database,
            self.photos,
            now=now,
            max_age=max_age,
            max_item_age=self.max_item_age,
        )


async def keep_fresh(shop: Shop, changed: asyncio.Event) -> None:
    """Place items anew whenever the models have changed, and look now and then whether there are any left; until it is cancelled."""
    while True:
        changed.clear()
        try:
            await shop.refreshing.refresh()
        except LoupeError as error:  # tried again next time
            _LOG.warning("items not placed anew", why=str(error))
        await shop.tidy_indexes()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(changed.wait(), _LOOK_EVERY_S)


def open_shop(
    config: Catalog,
    database: Database,
    models: Models,
    pool: DecodePool,
    limits: ImageLimits,
    inspecting: Inspecting,
    verdicts: Verdicts,
    metrics: Metrics,
) -> Shop:
    """Put the services together.

    Raises:
        SettingsError: the store of photos or the frozen test set cannot be used.
        StorageError: the folder of photos cannot be made.
    """
    items, photos = CatalogItems(database), open_blobs(config.photos, sync=True)
    cataloguing, indexing = Cataloguing(pool, limits), Indexing(items, config.index)
    services = CatalogServices(
        models=models,
        cataloguing=cataloguing,
        items=Items(cataloguing, items, indexing, photos, keep_originals=config.keep_originals),
        searching=Searching(cataloguing, items, indexing),
        checking=Checking(cataloguing, inspecting, models, items, config.blemish, config.blemish_default),
        correcting=Correcting(models, items, FeedbackBook(database), frozen=read_frozen(config.frozen)),
        verdicts=verdicts,
        answers=Answers(database),
        photos=photos,
        metrics=metrics,
    )
    return Shop(
        services=services,
        indexing=indexing,
        photos=photos,
        refreshing=Refreshing(models, cataloguing, items, photos),
        database=database,
        models=models,
        max_item_age=None if config.max_age_days is None else timedelta(days=config.max_age_days),
    )
