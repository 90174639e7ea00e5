"""Makes room in the catalog: photos that no item has any more, answers and removed items that are old.

Items themselves stay until somebody removes them. What time it is, the caller says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from server.storage.answers import Answers
from server.storage.blobs import Blobs
from server.storage.catalog_items import CatalogItems
from server.storage.database import Database
from server.storage.retention import GRACE

_STEP: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogSwept:
    """How many were deleted: photos and their bytes, answers, and removed items that are not remembered any more."""

    photos: int
    bytes: int
    answers: int
    items: int


def sweep_catalog(
    database: Database, photos: Blobs, *, now: datetime, max_age: timedelta, grace: timedelta = GRACE
) -> CatalogSwept:
    """Delete what nobody asks for any more. Blocks.

    Args:
        grace: a photo put less than this ago is left alone: the item that refers to it may still be on its way.

    Raises:
        StorageError: the database or the photos cannot be reached; what was done until then stays done.
    """
    items, old = CatalogItems(database), now - max_age
    freed = [photos.delete(one, put_at=now - grace) for one in _strays(items, photos, now - grace)]
    return CatalogSwept(
        photos=len(freed), bytes=sum(freed), answers=Answers(database).forget(old), items=items.forget(old)
    )


def _strays(items: CatalogItems, photos: Blobs, settled: datetime) -> Iterator[str]:
    entries = photos.entries()
    while step := list(islice(entries, _STEP)):
        known = items.referred_to([entry.sha256 for entry in step])
        yield from (entry.sha256 for entry in step if entry.sha256 not in known and entry.put_at <= settled)
