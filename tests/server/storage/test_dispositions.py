"""What waits for a person comes in the right order, what was found stays, and the audit counts what it should."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

import pytest
from sqlalchemy import func, select

from server.storage import dispositions as module
from server.storage.database import Database
from server.storage.dispositions import AuditCounts, Dispositions
from server.storage.results import Disposition, ResultRow
from server.storage.tables import dispositions as table
from tests.server.storage.plans import plans
from tests.server.storage.rows import NOON, dispose, found, keep, result, review
from vision.errors import NotFoundError
from vision.inspection.policy import Decision

_T = TypeVar("_T")


def now(awaitable: Awaitable[_T]) -> _T:
    async def wait() -> _T:
        return await awaitable

    return asyncio.run(wait())


def pending(database: Database, model: str | None = "cells", limit: int = 100) -> list[str]:
    return [row.id for row in now(Dispositions(database).pending(model, limit))]


def newest(database: Database, model: str | None = "cells") -> list[tuple[ResultRow, Disposition]]:
    async def collect() -> list[tuple[ResultRow, Disposition]]:
        return [pair async for pair in Dispositions(database).newest(model)]

    return asyncio.run(collect())


# --- what waits


def test_reviews_come_before_the_audit_sample_and_the_oldest_first(database: Database) -> None:
    at = [NOON + timedelta(minutes=minute) for minute in range(4)]
    audits = [result(audit=True, judged_at=time) for time in (at[0], at[2])]
    reviews = [review(judged_at=time) for time in (at[1], at[3])]
    others = [result(), result(decision=Decision.REJECT), review(model_name="caps")]
    keep(database, reviews[1], audits[1], *others, reviews[0], audits[0])

    expected = [row.id for row in (*reviews, *audits)]
    assert pending(database) == expected
    for limit in range(5):
        assert pending(database, limit=limit) == expected[:limit]


def test_without_a_model_all_models_results_wait(database: Database) -> None:
    keep(database, one := review(), two := review(model_name="caps", judged_at=NOON + timedelta(1)))
    assert pending(database, None) == [one.id, two.id]
    assert pending(database, "caps") == [two.id]
    assert pending(database, "other") == []


def test_a_review_that_was_also_drawn_waits_once(database: Database) -> None:
    keep(database, row := review(audit=True))
    assert pending(database) == [row.id]


def test_what_a_person_found_waits_no_longer(database: Database) -> None:
    keep(database, one := review(), two := result(audit=True))
    dispose(database, one, found())
    assert pending(database) == [two.id]
    dispose(database, two, found())
    assert pending(database) == []


@pytest.mark.parametrize("model", [None, "cells"])
def test_what_waits_is_found_in_order_by_indexes_of_only_that(database: Database, model: str | None) -> None:
    reviews, audits = plans(database, lambda: pending(database, model))
    assert "ix_results_open_review" in reviews
    assert "ix_results_open_audit" in audits
    for plan in (reviews, audits):
        assert "SORT" not in plan.upper()
        assert "TEMP B-TREE" not in plan


def test_dispositions_are_read_in_order_without_looking_at_other_results(database: Database) -> None:
    [plan] = plans(database, lambda: newest(database))
    assert "SCAN results" not in plan
    assert "Seq Scan on results" not in plan
    assert "TEMP B-TREE" not in plan


# --- what was found


def test_a_disposition_reads_back_with_its_result(database: Database) -> None:
    keep(database, row := review(answer=b"answer", image_sha256="1" * 64, part="Zelle 7"))
    disposition = found("crack", by="grace", note="an der Kante\n'\"", found_at=NOON + timedelta(days=3))
    dispose(database, row, disposition)

    [(kept, said)] = newest(database)
    assert said == disposition
    assert (kept.id, kept.image_sha256, kept.part, kept.answer) == (row.id, row.image_sha256, "Zelle 7", None)


def test_the_newest_counts_and_all_are_kept(database: Database) -> None:
    keep(database, row := review(), other := review())
    for label in ("good", "crack", "scratch"):
        dispose(
            database, row, found(label, found_at=NOON - timedelta(days=len(label)))
        )  # whatever the clock said
    dispose(database, other, found("good"))

    assert [(one.id, said.label) for one, said in newest(database)] == [
        (row.id, "scratch"),
        (other.id, "good"),
    ]
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 4


def test_a_result_that_is_not_there_cannot_be_disposed_of(database: Database) -> None:
    with pytest.raises(NotFoundError, match="result 'abc': expected one that is kept here, found none"):
        now(Dispositions(database).dispose("abc", found()))
    assert newest(database, None) == []


def test_many_people_at_once_lose_nothing_and_one_of_them_counts(database: Database) -> None:
    keep(database, row := review())

    async def all_at_once() -> None:
        finders = (Dispositions(database).dispose(row.id, found(str(number))) for number in range(20))
        await asyncio.gather(*finders)

    asyncio.run(all_at_once())
    with database.reading() as connection:
        kept = connection.execute(select(table.c.label).order_by(table.c.id)).scalars().all()
    assert sorted(kept, key=int) == [str(number) for number in range(20)]
    [(_, said)] = newest(database)
    assert said.label == kept[-1]


def test_dispositions_come_page_by_page_in_the_order_in_which_they_were_given(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE", 4)
    rows = [review(model_name=name) for name in ("cells", "caps") for _ in range(8)]
    keep(database, *rows)
    for row in reversed(rows):
        dispose(database, row, found())

    assert [row.id for row, _ in newest(database)] == [row.id for row in reversed(rows[:8])]
    assert [row.id for row, _ in newest(database, None)] == [row.id for row in reversed(rows)]


# --- the audit


def test_the_audit_counts_accepted_parts_that_people_looked_at_by_what_they_found_last(
    database: Database,
) -> None:
    accepted = [result(audit=number < 6) for number in range(10)]
    refused = [review(), review(), result(decision=Decision.REJECT), result(decision=Decision.REJECT)]
    keep(database, *accepted, *refused, result(model_name="caps", audit=True))
    for row, label in zip(accepted[:5], ("good", "crack", "good", "scratch", "crack"), strict=True):
        dispose(database, row, found(label))
    dispose(database, accepted[4], found("good"))  # on second thoughts
    dispose(
        database, accepted[9], found("crack")
    )  # found by chance: it was not drawn, so it says nothing about the others
    for row, label in zip(refused, ("good", "crack", "crack"), strict=False):
        dispose(database, row, found(label))

    counts = now(Dispositions(database).audit_counts("cells", "good"))
    assert counts == AuditCounts(accepted=10, audited=5, escapes=2, caught=2)


def test_the_audit_of_nothing_counts_nothing(database: Database) -> None:
    counts = now(Dispositions(database).audit_counts("cells", "good"))
    assert counts == AuditCounts(accepted=0, audited=0, escapes=0, caught=0)


def test_the_audit_counts_one_version_and_one_time_where_asked(database: Database) -> None:
    rows = [
        result(audit=True, model_digest=digest * 64, judged_at=NOON + timedelta(days=day))
        for digest in "ab"
        for day in range(3)
    ]
    keep(database, *rows)
    for row in rows:
        dispose(database, row, found("crack"))

    audit = Dispositions(database).audit_counts
    assert now(audit("cells", "good")).escapes == 6
    assert now(audit("cells", "good", digest="a" * 64)).escapes == 3
    assert now(audit("cells", "good", digest="a" * 64, since=NOON + timedelta(days=1))).accepted == 2
