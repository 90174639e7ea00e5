"""Results are found by id, by request, and by time; times come back in UTC."""

import asyncio
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from server.storage import results as module
from server.storage.database import Database
from server.storage.results import ResultRow, Results, StoredAnswer, count_between, rows_between
from server.storage.tables import results as table
from tests.server.storage.plans import plans
from tests.server.storage.rows import NOON, dispose, found, keep, result, review
from vision.errors import NotFoundError, StorageError
from vision.inspection.policy import Decision, Reason


def test_every_field_has_its_column_and_only_the_newest_disposition_is_no_field() -> None:
    assert {field.name for field in fields(ResultRow)} == set(table.c.keys()) - {"disposition_id"}


@pytest.mark.parametrize("decision", Decision)
@pytest.mark.parametrize("reason", Reason)
def test_every_decision_and_reason_reads_back(database: Database, decision: Decision, reason: Reason) -> None:
    keep(database, row := result(decision=decision, reason=reason))
    assert asyncio.run(Results(database).find(row.id)) == row


def test_a_result_that_no_model_judged_reads_back(database: Database) -> None:
    nothing = {"model_name": "", "model_version": "", "model_digest": "", "model_file": ""}
    row = review(
        reason=Reason.FAULT, label=None, probability=None, novelty=None, detail="no model", **nothing
    )
    keep(database, row)
    assert asyncio.run(Results(database).find(row.id)) == row


@pytest.mark.parametrize(
    "judged_at",
    [
        datetime(2026, 11, 22, 12, 30, 15, 123456, tzinfo=UTC),
        datetime(
            2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")
        ),  # the second half past two of that night
        datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=14))),  # still last year in UTC
    ],
)
def test_a_time_with_any_zone_comes_back_in_utc(database: Database, judged_at: datetime) -> None:
    keep(database, row := result(judged_at=judged_at))
    kept = asyncio.run(Results(database).find(row.id)).judged_at
    assert kept.utcoffset() == timedelta(0)
    assert kept == judged_at.astimezone(UTC)


def test_a_session_in_another_time_zone_reads_the_same_times(database: Database) -> None:
    keep(database, row := result())
    if database.engine.dialect.name == "postgresql":
        with database.writing() as connection:
            connection.execute(text("SET TIME ZONE 'Asia/Tokyo'"))  # which the pool hands out again
    assert asyncio.run(Results(database).find(row.id)).judged_at.isoformat() == "2026-11-22T12:00:00+00:00"


def test_a_missing_result_is_named(database: Database) -> None:
    with pytest.raises(NotFoundError, match="result 'abc': expected one that is kept here, found none"):
        asyncio.run(Results(database).find("abc"))


# --- answers


def test_an_answer_is_found_by_principal_method_and_request(database: Database) -> None:
    row = result(request_id="r-1", answer=b"\0\xff", payload_sha256="1" * 64)
    keep(database, row, result(request_id="r-2"), result())

    async def ask(*key: str) -> StoredAnswer | None:
        return await Results(database).answer_to(*key)

    expected = StoredAnswer(result_id=row.id, payload_sha256="1" * 64, answer=b"\0\xff")
    assert asyncio.run(ask("station-1", "Inspect", "r-1")) == expected
    for key in [
        ("station-2", "Inspect", "r-1"),
        ("station-1", "Other", "r-1"),
        ("station-1", "Inspect", "r-3"),
    ]:
        assert asyncio.run(ask(*key)) is None
    without = asyncio.run(ask("station-1", "Inspect", "r-2"))
    assert without is not None
    assert without.answer is None


def test_looking_for_an_answer_uses_the_index(database: Database) -> None:
    [plan] = plans(database, lambda: asyncio.run(Results(database).answer_to("a", "b", "c")))
    assert "uq_results_request" in plan


def test_a_page_of_rows_is_found_in_order_by_the_index(database: Database) -> None:
    keep(database, result())
    for start in (None, NOON):
        [plan] = plans(database, partial(list, rows_between(database, start, None)))
        assert "ix_results_judged_at" in plan
        assert "TEMP B-TREE" not in plan


def test_reading_leaves_the_event_loop_alone(database: Database) -> None:
    async def tick(turns: list[int]) -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    async def read() -> list[int]:
        turns: list[int] = []
        ticking = asyncio.create_task(tick(turns))
        for _ in range(20):
            await Results(database).answer_to("a", "b", "c")
        ticking.cancel()
        return turns

    assert len(asyncio.run(read())) > 20


def test_a_database_that_is_gone_is_a_storage_error(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("DROP TABLE dispositions"))
        connection.execute(text("DROP TABLE results"))
    with pytest.raises(StorageError, match="results"):
        asyncio.run(Results(database).find("abc"))


# --- between two times


def test_rows_come_oldest_first_from_the_start_on_and_before_the_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE", 7)
    rows = [
        result(judged_at=NOON + timedelta(minutes=minute // 3)) for minute in range(60)
    ]  # three at each time
    keep(database, *reversed(rows), result(model_name="other"))
    start, end = NOON + timedelta(minutes=5), NOON + timedelta(minutes=15)

    got = [row for row, _ in rows_between(database, start, end, model="cells")]

    assert sorted(row.id for row in got) == sorted(row.id for row in rows[15:45])
    assert [(row.judged_at, row.id) for row in got] == sorted((row.judged_at, row.id) for row in got)
    assert count_between(database, start, end, model="cells") == 30


def test_without_limits_every_row_comes_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAGE", 5)
    rows = [result(model_name=name) for name in ("cells", "caps") for _ in range(10)]  # all at one time
    keep(database, *rows)
    got = [row for row, _ in rows_between(database, None, None)]
    assert sorted(row.id for row in got) == sorted(row.id for row in rows)
    assert count_between(database, None, None) == 20


def test_rows_come_with_their_newest_disposition_and_without_their_answers(database: Database) -> None:
    judged, waiting = review(answer=b"answer"), review(judged_at=NOON + timedelta(1))
    keep(database, judged, waiting)
    dispose(database, judged, found("good"))
    dispose(database, judged, found("crack", note="at the edge"))

    (first, disposition), (second, nothing) = rows_between(database, None, None)
    assert (first.id, first.answer) == (judged.id, None)
    assert disposition == found("crack", note="at the edge")
    assert (second.id, nothing) == (waiting.id, None)


def test_nothing_lies_between_where_there_is_nothing(database: Database) -> None:
    assert list(rows_between(database, None, None)) == []
    assert count_between(database, NOON, None) == 0


def test_others_may_write_while_rows_are_read(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAGE", 2)
    keep(database, *(result(judged_at=NOON + timedelta(n)) for n in range(4)))
    reading = rows_between(database, None, None)
    next(reading)
    keep(database, late := result(judged_at=NOON + timedelta(9)))
    assert [row.id for row, _ in reading][-1] == late.id
