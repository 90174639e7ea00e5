"""Imagery's part of a server: its services and the designers' page, put together once. Who makes the images is another process."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from starlette.routing import BaseRoute, Mount

from server.auth import Principal
from server.config import Config, Imagery
from server.decoding import DecodePool
from server.imagery.desk import open_desk
from server.imagery.orders import Orders
from server.imagery.reviewing import Reviewing
from server.rpc.imagery import ImageryServices
from server.storage.blobs import Blobs, open_blobs
from server.storage.database import Database
from server.storage.imagery_books import ImageryBooks
from server.storage.imagery_events import ImageryEvents
from server.storage.imagery_jobs import ImageryJobs
from server.storage.imagery_retention import ImagerySwept, sweep_imagery
from server.token_cache import CachedTokens
from server.web.site import PATH, Page, site
from server.web.views import Views
from vision.image import ImageLimits
from vision.imagery.brief import PLAIN_WHITE, PROCEDURAL, STUDIO
from vision.imagery.create import model_names
from vision.imagery.cutout.photo import PHOTO_LIMITS

_CARRIED: Final = (STUDIO, PROCEDURAL, PLAIN_WHITE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Atelier:
    """What imagery is carried out by, what has to be swept, and closed."""

    services: ImageryServices
    blobs: Blobs
    database: Database

    async def sweep(self, now: datetime) -> ImagerySwept:
        """As `sweep_imagery`."""
        return await asyncio.to_thread(sweep_imagery, self.database, self.blobs, now=now)

    def close(self) -> None:
        """Let nothing more be checked."""
        self.services.checking.close()


def open_atelier(config: Imagery, database: Database, limits: ImageLimits) -> Atelier:
    """Put the services together.

    Raises:
        SettingsError: the store of pictures or the certificate cannot be used.
        ImageryError: the usual label policy cannot.
        StorageError: the folder of pictures cannot be made.
    """
    blobs, desk = open_blobs(config.images), open_desk(config, limits)
    jobs, events, books = ImageryJobs(database), ImageryEvents(database), ImageryBooks(database)
    services = ImageryServices(
        orders=Orders(
            jobs, events, books, blobs, desk, replace(limits, min_side_px=PHOTO_LIMITS.min_side_px)
        ),
        reviewing=Reviewing(jobs, events, books, blobs, desk),
        desk=desk,
        checking=DecodePool(1),
    )
    return Atelier(services=services, blobs=blobs, database=database)


def page_of(
    config: Config, atelier: Atelier, tokens: CachedTokens, limits: ImageLimits
) -> Sequence[BaseRoute]:
    """Where the page is, if it is shown."""
    if not config.page_shown:
        return ()

    async def identify(token: str) -> Principal:
        return await tokens.identify(token, datetime.now(UTC))

    desk = atelier.services.desk
    generators = (*_CARRIED, *model_names(config.imagery.models))
    page = Page(
        orders=atelier.services.orders,
        reviewing=atelier.services.reviewing,
        views=Views(rule_sets=desk.rule_sets(), policies=desk.policies(), generators=generators),
        identify=identify,
        max_bytes=limits.max_bytes,
        hosts=config.imagery.page_hosts,
    )
    return (Mount(PATH, app=site(page)),)
