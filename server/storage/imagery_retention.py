"""Makes room among the pictures of orders: those that no order refers to, which a killed worker or server left.

What an order refers to stays: an exported image has to be made again from its photo and manifest for as long as anybody may ask. What time it is,
the caller says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from sqlalchemy import select, union

from server.storage.blobs import Blobs
from server.storage.database import Database
from server.storage.imagery_tables import imagery_candidates, imagery_exports, imagery_jobs

GRACE: Final = timedelta(hours=1)  # a candidate's pictures are put before the row that names them
_STEP: Final = 500
_REFERENCES: Final = (
    imagery_jobs.c.photo_sha256,
    imagery_jobs.c.mask_sha256,
    imagery_jobs.c.style_sha256,
    imagery_candidates.c.master_sha256,
    imagery_candidates.c.preview_sha256,
    imagery_candidates.c.difference_sha256,
    imagery_candidates.c.alpha_sha256,
    imagery_exports.c.file_sha256,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagerySwept:
    """How many pictures were deleted, and their bytes."""

    pictures: int
    bytes: int


def sweep_imagery(
    database: Database, blobs: Blobs, *, now: datetime, grace: timedelta = GRACE
) -> ImagerySwept:
    """Delete the pictures that nothing refers to. Blocks.

    Args:
        grace: one put less than this ago is left alone: what refers to it may still be on its way.

    Raises:
        StorageError: the database or the pictures cannot be reached; what was done until then stays done.
    """
    settled = now - grace
    freed = [blobs.delete(one, put_at=settled) for one in _strays(database, blobs, settled)]
    return ImagerySwept(pictures=len(freed), bytes=sum(freed))


def _strays(database: Database, blobs: Blobs, settled: datetime) -> Iterator[str]:
    entries = blobs.entries()
    while step := list(islice(entries, _STEP)):
        known = _referred_to(database, [entry.sha256 for entry in step])
        yield from (entry.sha256 for entry in step if entry.sha256 not in known and entry.put_at <= settled)


def _referred_to(database: Database, sha256s: Sequence[str]) -> set[str]:
    query = union(*(select(column).where(column.in_(sha256s)) for column in _REFERENCES))
    with database.reading() as connection:
        return set(connection.execute(query).scalars())
