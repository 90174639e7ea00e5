"""Makes room: forgets results and pictures that are old or too many, the least valuable first.

    1. results older than `max_age` of which nobody has found anything, and parts that stations reported so long ago
    2. pictures that no result refers to any more, once they are that old themselves
    3. while the pictures are more than `max_bytes`: those without a result; of accepted parts; of the audit's sample; of reviews and
       rejects; of parts with a disposition; the oldest first within each

A result with a disposition is never deleted: escape rates and training rest on it. A result whose picture goes stays, and says so.
It works in small steps, so that others may write meanwhile. What time it is, the caller says.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from sqlalchemy import Delete, case, delete, func, literal, select, true, tuple_, update

from server.storage.blobs import Blobs, Entry
from server.storage.database import Database
from server.storage.tables import HAS_IMAGE, results, station_results
from vision.errors import NotFoundError
from vision.inspection.policy import Decision

GRACE: Final = timedelta(minutes=1)
_STEP: Final = 500
_PAUSE_S: Final = 0.02  # between steps: SQLite's waiting writers look again every few milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What was done: results, stations' parts and pictures deleted, bytes that this freed, and bytes of pictures that are left."""

    results: int
    reported: int = 0
    pictures: int
    bytes: int
    bytes_left: int


def sweep(
    database: Database,
    blobs: Blobs,
    *,
    now: datetime,
    max_age: timedelta | None,
    max_bytes: int | None,
    grace: timedelta = GRACE,
) -> Swept:
    """Bring results and pictures within their limits. Blocks; several at once are safe and wasteful.

    Args:
        max_age: absent: nothing is too old.
        max_bytes: of all pictures; absent: any number.
        grace: a picture put less than this ago is left alone, whatever the limits: the result that refers to it may still be on its way.

    Raises:
        StorageError: the database or the pictures cannot be reached; what was done until then stays done.
    """
    oldest = None if max_age is None else now - max_age
    forgotten = 0 if oldest is None else _forget_results(database, oldest)
    reported = 0 if oldest is None else _forget_reported(database, oldest)
    room = _Room(database, blobs, settled=now - grace)
    strays = room.survey(oldest)
    if max_bytes is not None:
        room.make(max_bytes, strays)
    return Swept(
        results=forgotten, reported=reported, pictures=room.pictures, bytes=room.freed, bytes_left=room.left
    )


def _forget_results(database: Database, oldest: datetime) -> int:
    unused = results.c.disposition_id.is_(None)
    some = (
        select(results.c.id)
        .where(results.c.judged_at < oldest, unused)
        .order_by(results.c.judged_at, results.c.id)
        .limit(_STEP)
    )
    # `unused` once more: PostgreSQL asks only this again where a disposition came between choosing and deleting
    return _forget(database, delete(results).where(results.c.id.in_(some), unused))


def _forget_reported(database: Database, oldest: datetime) -> int:
    """By when they came: what a box reports after weeks without a network is looked at first."""
    key = (station_results.c.station, station_results.c.boot, station_results.c.part)
    some = select(*key).where(station_results.c.received_at < oldest).limit(_STEP)
    return _forget(database, delete(station_results).where(tuple_(*key).in_(some)))


def _forget(database: Database, statement: Delete) -> int:
    """Repeat a step until it finds nothing more; gives how many rows went."""
    forgotten = 0
    while True:
        with database.writing() as connection:
            step = connection.execute(statement).rowcount
        forgotten += step
        if step == 0:
            return forgotten
        time.sleep(_PAUSE_S)


class _Room:
    """One sweep's way through the pictures; it counts what it does."""

    def __init__(self, database: Database, blobs: Blobs, *, settled: datetime) -> None:
        self._database, self._blobs, self._settled = database, blobs, settled
        self.pictures = self.freed = self.left = 0

    def survey(self, oldest: datetime | None) -> list[Entry]:
        """Count every picture, delete strays put before `oldest`, and give the other strays."""
        strays = []
        entries = self._blobs.entries()
        while step := list(islice(entries, _STEP)):
            self.left += sum(entry.bytes for entry in step)
            known = self._referred_to(entry.sha256 for entry in step)
            for entry in step:
                if entry.sha256 in known or entry.put_at > self._settled:
                    continue
                if oldest is not None and entry.put_at < oldest:
                    self._delete(entry)
                else:
                    strays.append(entry)
        return strays

    def make(self, max_bytes: int, strays: Iterable[Entry]) -> None:
        """Delete strays, then pictures of results, until no more than `max_bytes` are left."""
        for entry in sorted(strays, key=lambda entry: entry.put_at):
            if self.left <= max_bytes:
                return
            self._delete(entry)
        if self.left <= max_bytes:
            return
        for sha256 in self._least_valuable():
            self._give_up(sha256)
            if self.left <= max_bytes:
                return

    def _referred_to(self, sha256s: Iterable[str]) -> set[str]:
        query = select(results.c.image_sha256).where(results.c.image_sha256.in_(list(sha256s)))
        with self._database.reading() as connection:
            return set(connection.execute(query.distinct()).scalars())

    def _least_valuable(self) -> Iterator[str]:
        """Pictures of results. One that several refer to is worth as much as the most valuable of these, and as young as the youngest."""
        value = case(
            (results.c.disposition_id.is_not(None), 3),
            (results.c.decision != Decision.ACCEPT, 2),
            (results.c.audit.is_(true()), 1),
            else_=0,
        )
        images = (
            select(
                results.c.image_sha256,
                func.max(value).label("value"),
                func.max(results.c.judged_at).label("judged_at"),
            )
            .where(HAS_IMAGE)
            .group_by(results.c.image_sha256)
            .subquery()
        )
        place = (images.c.value, images.c.judged_at, images.c.image_sha256)
        query = select(*place).order_by(*place).limit(_STEP)
        page = query
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(page).all()
            for row in rows:
                yield row.image_sha256
            if len(rows) < _STEP:
                return
            last = (literal(one, column.type) for one, column in zip(rows[-1], place, strict=True))
            page = query.where(tuple_(*place) > tuple_(*last))

    def _give_up(self, sha256: str) -> None:
        try:
            entry = self._blobs.look(sha256)
        except NotFoundError:
            entry = None
        if entry is not None and entry.put_at > self._settled:
            return
        # first the results, then the picture: stopped between the two, it is a stray, which the next sweep finds
        with self._database.writing() as connection:
            connection.execute(
                update(results).where(results.c.image_sha256 == sha256).values(image_sha256=None)
            )
        if entry is not None:
            self._delete(entry)

    def _delete(self, entry: Entry) -> None:
        freed = self._blobs.delete(entry.sha256, put_at=entry.put_at)
        self.pictures += freed > 0
        self.freed += freed
        self.left -= freed
