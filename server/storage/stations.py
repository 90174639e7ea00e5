"""Stations, and the parts that they report: each kept once, by its station, boot and part.

What is kept here survives a power cut once `keep` has returned: the box then deletes its own row. Counts by outcome are written with the
parts they count. Blocks, and may be called from several threads. It knows nothing of the wire.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Insert, RowMapping, func, literal, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from server.storage.audit import append
from server.storage.database import Database
from server.storage.tables import PartOutcome, station_results, stations

_PAGE: Final = 1000
_KEY: Final = (station_results.c.station, station_results.c.boot, station_results.c.part)
CONFLICT: Final = "ReportResults: other content"  # as the audit log has it


@dataclass(frozen=True, slots=True, kw_only=True)
class StationResult:
    """A part at a station.

    Attributes:
        boot: of the box's program, in which the part was triggered.
        triggered_at: with a zone; it comes back in UTC.
        bundle: the digest of the bundle that judged it; empty where none did.
        timings_ms: by stage, and from the trigger until each step was reached.
    """

    station: str
    boot: str
    part: int
    triggered_at: datetime
    outcome: PartOutcome
    reason: str
    detail: str = ""
    label: str | None = None
    probability: float | None = None
    bundle: str = ""
    counter: int | None = None
    frame_id: int | None = None
    timings_ms: Mapping[str, float]

    @property
    def key(self) -> tuple[str, int]:
        """What names it among its station's parts."""
        return self.boot, self.part

    def sha256(self) -> str:
        """Of all that it says, so that something else under the same key is noticed.

        What it does not say is left out, so that fields of a later Loupe leave the digests of earlier parts as they are.
        """
        said = {name: value for name, value in asdict(self).items() if value not in (None, "", {})}
        text = json.dumps(said, default=str, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


RESULT_COLUMNS: Final = tuple(station_results.c[field.name] for field in fields(StationResult))


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A station as the server last heard of it.

    Attributes:
        boot, version: empty where it has reported parts and never registered.
        bundle: the digest of the bundle that gave its last verdict.
        since_boot: parts by outcome, as it counts them itself since its program started.
        waiting: parts that it had not reported when it last said so.
        discarded: parts that it deleted before they were acknowledged.
        kept: parts by outcome that are or were kept here.
    """

    name: str
    boot: str
    version: str
    bundle: str
    registered_at: datetime | None
    seen_at: datetime
    since_boot: Mapping[str, int]
    waiting: int
    discarded: int
    kept: Mapping[PartOutcome, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of parts that were reported.

    Attributes:
        new: parts by outcome that were not kept before.
        conflicts: the keys of those that say something else than what is kept under the same key.
    """

    new: Mapping[PartOutcome, int]
    conflicts: frozenset[tuple[str, int]]


class Stations:
    """The stations in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = postgresql.insert if database.engine.dialect.name == "postgresql" else sqlite.insert

    def register(self, name: str, *, boot: str, version: str, bundle: str, at: datetime) -> None:
        """A station has connected.

        Raises:
            StorageError: it was not written.
        """
        self._note(name, at, boot=boot, version=version, bundle=bundle, registered_at=at)

    def beat(
        self,
        name: str,
        *,
        boot: str,
        bundle: str,
        since_boot: Mapping[str, int],
        waiting: int,
        discarded: int,
        at: datetime,
    ) -> None:
        """A station says how it does.

        Raises:
            StorageError: it was not written.
        """
        self._note(
            name,
            at,
            boot=boot,
            bundle=bundle,
            since_boot=dict(since_boot),
            waiting=waiting,
            discarded=discarded,
        )

    def _note(self, name: str, at: datetime, **changed: Any) -> None:
        with self._database.writing() as connection:
            self._make(connection, name, at)
            change = update(stations).where(stations.c.name == name).values(seen_at=at, **changed)
            connection.execute(change)

    def _make(self, connection: Connection, name: str, at: datetime) -> None:
        empty = {"boot": "", "version": "", "bundle": "", "since_boot": {}, "waiting": 0, "discarded": 0}
        kept = {f"kept_{outcome}": 0 for outcome in PartOutcome}
        row = self._insert(stations).values(name=name, seen_at=at, **empty, **kept)
        connection.execute(row.on_conflict_do_nothing(index_elements=[stations.c.name]))

    def keep(self, name: str, results: Sequence[StationResult], *, at: datetime) -> Kept:
        """Keep a station's parts, all in one transaction that is durable when this returns.

        A part that is kept already stays as it is; where it says something else now, that is in the audit log.

        Raises:
            StorageError: none of them was written.
        """
        if not results:
            return Kept(new={}, conflicts=frozenset())
        digests = [one.sha256() for one in results]
        rows = [_row(one, digest, at) for one, digest in zip(results, digests, strict=True)]
        with self._database.writing(durable=True) as connection:
            self._make(connection, name, at)
            written = {(row.boot, row.part) for row in connection.execute(self._keeping(), rows)}
            conflicts = _conflicts(connection, name, results, digests) if len(written) < len(rows) else set()
            outcomes = {one.key: one.outcome for one in reversed(results)}  # of one key, the first is written
            new = Counter(outcomes[key] for key in written)
            change = {f"kept_{one}": stations.c[f"kept_{one}"] + number for one, number in new.items()}
            connection.execute(update(stations).where(stations.c.name == name).values(seen_at=at, **change))
            for boot, part in sorted(conflicts):
                append(connection, by=name, action=CONFLICT, detail=f"boot {boot}, part {part}")
        return Kept(new=new, conflicts=frozenset(conflicts))

    def _keeping(self) -> Insert:
        """Leaves out what is kept already, and gives the keys of the rest."""
        insert = self._insert(station_results).on_conflict_do_nothing(index_elements=_KEY)
        return insert.returning(station_results.c.boot, station_results.c.part)

    def all(self) -> Sequence[Station]:
        """Every station, by name.

        Raises:
            StorageError: the database does not answer.
        """
        with self._database.reading() as connection:
            rows = connection.execute(select(stations).order_by(stations.c.name)).mappings().all()
        return [_station(row) for row in rows]


def _conflicts(
    connection: Connection, name: str, results: Sequence[StationResult], digests: Sequence[str]
) -> set[tuple[str, int]]:
    keys = [(name, *one.key) for one in results]
    query = select(station_results.c.boot, station_results.c.part, station_results.c.sha256)
    stored = connection.execute(query.where(tuple_(*_KEY).in_(keys)))
    kept = {(row.boot, row.part): row.sha256 for row in stored}
    # what retention has just forgotten contradicts nobody
    return {
        one.key for one, digest in zip(results, digests, strict=True) if kept.get(one.key, digest) != digest
    }


def _row(one: StationResult, digest: str, at: datetime) -> dict[str, Any]:
    return {column.name: getattr(one, column.name) for column in RESULT_COLUMNS} | {
        "sha256": digest,
        "received_at": at,
        "timings_ms": dict(one.timings_ms),
    }


def _station(row: RowMapping) -> Station:
    plain = {name: row[name] for name in Station.__dataclass_fields__ if name != "kept"}
    return Station(**plain, kept={outcome: row[f"kept_{outcome}"] for outcome in PartOutcome})


def count_reported(database: Database, start: datetime | None, end: datetime | None) -> int:
    """How many parts `reported_between` gives."""
    query = select(func.count()).select_from(station_results).where(*_between(start, end))
    with database.reading() as connection:
        return connection.execute(query).scalar_one()


def reported_between(
    database: Database, start: datetime | None, end: datetime | None
) -> Iterator[StationResult]:
    """Parts that were triggered from `start` on and before `end`, oldest first, read page by page as results are.

    Raises:
        StorageError: the database does not answer.
    """
    order = (station_results.c.triggered_at, *_KEY)
    query = select(*RESULT_COLUMNS).where(*_between(start, end)).order_by(*order).limit(_PAGE)
    page = query
    while True:
        with database.reading() as connection:
            rows = connection.execute(page).mappings().all()
        for row in rows:
            yield StationResult(**row)
        if len(rows) < _PAGE:
            return
        last = (literal(rows[-1][column.name], column.type) for column in order)
        page = query.where(tuple_(*order) > tuple_(*last))


def _between(start: datetime | None, end: datetime | None) -> Iterator[Any]:
    if start is not None:
        yield station_results.c.triggered_at >= start
    if end is not None:
        yield station_results.c.triggered_at < end
