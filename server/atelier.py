"""Imagery's part of a server: its services, put together once. Who makes the images is another process."""

from dataclasses import dataclass

from server.config import Imagery
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
from vision.image import ImageLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Atelier:
    """What imagery is carried out by, and the store that has to be swept."""

    services: ImageryServices
    blobs: Blobs


def open_atelier(config: Imagery, database: Database, pool: DecodePool, limits: ImageLimits) -> Atelier:
    """Put the services together.

    Raises:
        SettingsError: the store of pictures or the certificate cannot be used.
        ImageryError: the usual label policy cannot.
        StorageError: the folder of pictures cannot be made.
    """
    blobs, desk = open_blobs(config.images), open_desk(config)
    jobs, events, books = ImageryJobs(database), ImageryEvents(database), ImageryBooks(database)
    services = ImageryServices(
        orders=Orders(jobs, events, books, blobs, desk, limits),
        reviewing=Reviewing(jobs, events, books, blobs, desk),
        desk=desk,
        pool=pool,
    )
    return Atelier(services=services, blobs=blobs)
