"""Makes room in the catalog: photos that no item has any more, answers and removed items that are old.

Items themselves stay until somebody removes them, or for as long as is asked; those of which people have said what they are stay in any case:
what there is to learn rests on them. What time it is, the caller says.
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
    """How many were deleted: items that were too old, photos and their bytes, answers, and removed items that are not remembered any more."""

    expired: int
    photos: int
    bytes: int
    answers: int
    items: int


def sweep_catalog(
    database: Database,
    photos: Blobs,
    *,
    now: datetime,
    max_age: timedelta,
    max_item_age: timedelta | None = None,
    grace: timedelta = GRACE,
) -> CatalogSwept:
    """Delete what nobody asks for any more. Blocks.

    Args:
        max_age: of answers, and of the memory of removed items.
        max_item_age: of items, since they were handed in; they stay where it is absent.
        grace: a photo put less than this ago is left alone: the item that refers to it may still be on its way.

    Raises:
        StorageError: the database or the photos cannot be reached; what was done until then stays done.
    """
    items, old = CatalogItems(database), now - max_age
    expired = 0 if max_item_age is None else _expire(items, now, now - max_item_age)
    freed = [photos.delete(one, put_at=now - grace) for one in _strays(items, photos, now - grace)]
    return CatalogSwept(
        expired=expired,
        photos=len(freed),
        bytes=sum(freed),
        answers=Answers(database).forget(old),
        items=items.forget(old),
    )


def _expire(items: CatalogItems, now: datetime, before: datetime) -> int:
    count = 0
    while step := items.unsaid(before):
        gone = [items.remove(one, now, unless_since=before) for one in step]
        count += sum(one is not None for one in gone)
    return count


def _strays(items: CatalogItems, photos: Blobs, settled: datetime) -> Iterator[str]:
    entries = photos.entries()
    while step := list(islice(entries, _STEP)):
        known = items.referred_to([entry.sha256 for entry in step])
        yield from (entry.sha256 for entry in step if entry.sha256 not in known and entry.put_at <= settled)
