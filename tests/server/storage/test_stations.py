"""Parts that stations report are kept once, by station, boot and part; what was acknowledged outlives a power cut."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Connection, event, select

from server.storage.audit import AuditLog
from server.storage.blobs import open_blobs
from server.storage.database import Database, open_database
from server.storage.retention import sweep
from server.storage.stations import (
    CONFLICT,
    Station,
    StationResult,
    Stations,
    count_reported,
    reported_between,
)
from server.storage.tables import PartOutcome, station_results
from tests.server.storage.rows import NOON

LATER: Final = NOON + timedelta(hours=1)


def part(number: int, **changed: Any) -> StationResult:
    usual = StationResult(
        station="infeed",
        boot="boot",
        part=number,
        triggered_at=NOON + timedelta(seconds=number),
        outcome=PartOutcome.ACCEPT,
        reason="confident",
        detail="",
        label="good",
        probability=0.01,
        bundle="abc",
        counter=number,
        frame_id=None,
        timings_ms={"driven": 250.5, "model": 7.5},
    )
    return replace(usual, **changed)


def kept(database: Database) -> list[tuple[str, str, int]]:
    columns = station_results.c
    query = select(columns.station, columns.boot, columns.part).order_by(*columns[:3])
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(query)]


def only(database: Database) -> Station:
    (station,) = Stations(database).all()
    return station


def test_parts_are_kept_and_counted(database: Database) -> None:
    found = Stations(database).keep(
        "infeed", [part(1), part(2, outcome=PartOutcome.FAULT, reason="camera")], at=LATER
    )
    assert (dict(found.new), found.conflicts) == ({"accept": 1, "fault": 1}, frozenset())
    assert list(reported_between(database, None, None)) == [
        part(1), part(2, outcome=PartOutcome.FAULT, reason="camera")
    ]  # fmt: skip
    station = only(database)
    assert (station.kept[PartOutcome.ACCEPT], station.kept[PartOutcome.FAULT]) == (1, 1)
    assert (station.seen_at, station.boot, station.registered_at) == (LATER, "", None)


def test_the_same_again_is_not_doubled(database: Database) -> None:
    stations = Stations(database)
    stations.keep("infeed", [part(1), part(2)], at=LATER)
    again = stations.keep("infeed", [part(1), part(2), part(3), part(3)], at=LATER)
    assert (dict(again.new), again.conflicts) == ({"accept": 1}, frozenset())
    assert [number for _, _, number in kept(database)] == [1, 2, 3]
    assert only(database).kept[PartOutcome.ACCEPT] == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"outcome": PartOutcome.REJECT}, {"reason": "novel"}, {"detail": "x"}, {"label": None}, {"probability": None},
        {"bundle": "b"}, {"counter": None}, {"frame_id": 1}, {"timings_ms": {}}, {"triggered_at": NOON},
    ],
)  # fmt: skip
def test_other_content_under_the_same_key_is_noticed_and_logged_and_changes_nothing(
    database: Database, changed: dict[str, Any]
) -> None:
    stations = Stations(database)
    stations.keep("infeed", [part(1)], at=LATER)
    found = stations.keep("infeed", [part(1, **changed), part(2)], at=LATER)
    assert (dict(found.new), found.conflicts) == ({"accept": 1}, frozenset({("boot", 1)}))
    assert next(reported_between(database, None, None)) == part(1) or changed == {"triggered_at": NOON}
    (entry,) = AuditLog(database).entries()
    assert (entry.by, entry.action, entry.detail) == ("infeed", CONFLICT, "boot boot, part 1")


def test_two_contents_in_one_message_are_noticed_too(database: Database) -> None:
    found = Stations(database).keep("infeed", [part(1), part(1, reason="novel")], at=LATER)
    assert found.conflicts == {("boot", 1)}
    assert list(reported_between(database, None, None)) == [part(1)]


def test_stations_and_boots_keep_their_parts_apart(database: Database) -> None:
    stations = Stations(database)
    for station in ("infeed", "outfeed"):
        for boot in ("one", "two"):
            found = stations.keep(station, [part(1, station=station, boot=boot)], at=LATER)
            assert dict(found.new) == {"accept": 1}
    assert len(kept(database)) == 4
    assert [(one.name, one.kept[PartOutcome.ACCEPT]) for one in stations.all()] == [
        ("infeed", 2),
        ("outfeed", 2),
    ]


def test_two_servers_that_are_told_the_same_at_once_keep_it_once(url: str) -> None:
    one, other = open_database(url), open_database(url)
    parts = [part(number) for number in range(1, 301)]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(
            lambda database: Stations(database).keep("infeed", parts, at=LATER), [one, other] * 4
        )
        new = [answer.new.get(PartOutcome.ACCEPT, 0) for answer in found]
    assert sum(new) == 300
    assert only(one).kept[PartOutcome.ACCEPT] == 300
    one.close()
    other.close()


def test_a_station_is_known_by_what_it_said_last(database: Database) -> None:
    stations = Stations(database)
    stations.register("infeed", boot="first", version="0.1.0", bundle="", at=NOON)
    stations.keep("infeed", [part(1)], at=NOON)
    stations.beat(
        "infeed", boot="first", bundle="abc", since_boot={"accept": 4}, waiting=3, discarded=2, at=LATER
    )
    assert only(database) == Station(
        name="infeed", boot="first", version="0.1.0", bundle="abc", registered_at=NOON, seen_at=LATER,
        since_boot={"accept": 4}, waiting=3, discarded=2,
        kept={one: int(one is PartOutcome.ACCEPT) for one in PartOutcome},
    )  # fmt: skip


def test_parts_of_a_time_are_read_in_its_order(database: Database) -> None:
    stations = Stations(database)
    stations.keep("outfeed", [part(2, station="outfeed"), part(1, station="outfeed")], at=LATER)
    stations.keep("infeed", [part(number) for number in range(1, 2501)], at=LATER)
    everything = list(reported_between(database, None, None))
    assert len(everything) == count_reported(database, None, None) == 2502
    assert [one.triggered_at for one in everything] == sorted(one.triggered_at for one in everything)
    assert [one.station for one in everything[:4]] == ["infeed", "outfeed"] * 2
    start, end = NOON + timedelta(seconds=10), NOON + timedelta(seconds=12)
    assert [one.part for one in reported_between(database, start, end)] == [10, 11]
    assert count_reported(database, start, end) == 2


def test_retention_forgets_by_when_parts_came_and_keeps_the_counts(
    database: Database, tmp_path: Path
) -> None:
    stations = Stations(database)
    old = [part(number, triggered_at=datetime(2020, 1, 1, tzinfo=UTC)) for number in range(1, 1201)]
    stations.keep("infeed", old, at=NOON)
    stations.keep("infeed", [part(5000, triggered_at=datetime(2020, 1, 1, tzinfo=UTC))], at=LATER)
    swept = sweep(
        database,
        open_blobs(str(tmp_path / "images")),
        now=LATER,
        max_age=timedelta(minutes=30),
        max_bytes=None,
    )
    assert swept.reported == 1200
    assert [number for _, _, number in kept(database)] == [5000]
    assert only(database).kept[PartOutcome.ACCEPT] == 1201


def test_what_is_acknowledged_was_waited_for_at_the_disk_and_nothing_else_is(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'results.db'}")
    at_commit: list[int] = []

    @event.listens_for(database.engine, "commit")
    def committing(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        at_commit.append(driver.execute("PRAGMA synchronous").fetchone()[0])

    stations = Stations(database)
    calls: list[Callable[[], object]] = [
        lambda: stations.keep("infeed", [part(1)], at=LATER),
        lambda: stations.register("infeed", boot="b", version="1", bundle="", at=LATER),
    ]
    for call in calls:
        call()
    assert at_commit == [2, 1]  # FULL, NORMAL
    database.close()
