"""Results as they are kept and read: one row for each part that was judged.

Rows are written by `server.storage.writer`. Reading happens in another thread and leaves the event loop alone. What an answer's bytes say
is not known here.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, func, literal, select, true, tuple_

from server.storage.database import Database
from server.storage.tables import dispositions, results
from vision.errors import NotFoundError
from vision.inspection.policy import Decision, Reason

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One part that was judged.

    Attributes:
        id: 32 hex digits.
        request_id: the caller's own; absent where it gave none. With principal and method it stands for one result.
        payload_sha256: of what was asked, so that another question under the same request id is noticed.
        answer: the response as it was sent, to be sent again; also absent where it was not read.
        model_name: empty, as the three that follow it, where no model was there to judge.
        probability: of defect, 0..1.
        judged_at: with a zone; it comes back in UTC.
        image_sha256: of the picture, where it is kept.
        audit: an accepted part that was drawn for people to check.
    """

    id: str
    request_id: str | None = None
    principal: str
    method: str
    payload_sha256: str
    answer: bytes | None = None
    model_name: str
    model_version: str
    model_digest: str
    model_file: str
    decision: Decision
    reason: Reason
    detail: str = ""
    label: str | None = None
    probability: float | None = None
    novelty: float | None = None
    certified: bool = False
    part: str = ""
    judged_at: datetime
    total_ms: float
    image_sha256: str | None = None
    audit: bool = False

    def values(self) -> dict[str, Any]:
        """Column by column."""
        return {name: getattr(self, name) for name in RESULT_FIELDS}


RESULT_FIELDS: Final = tuple(field.name for field in fields(ResultRow))
# Answers may hold whole pictures: where many rows are read, they stay where they are.
COLUMNS_WITHOUT_ANSWER: Final = tuple(results.c[name] for name in RESULT_FIELDS if name != "answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """What a person found a part to be; the newest one of a result counts."""

    label: str
    by: str
    note: str
    found_at: datetime


DISPOSITION_COLUMNS: Final = (
    dispositions.c.label.label("found_label"),
    dispositions.c.by_user,
    dispositions.c.note,
    dispositions.c.found_at,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """What was answered to a request; `answer` is absent where it was not kept."""

    result_id: str
    payload_sha256: str
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class Results:
    """What was judged."""

    database: Database

    async def answer_to(self, principal: str, method: str, request_id: str) -> StoredAnswer | None:
        """What the same caller was answered under this request id, if anything."""
        return await asyncio.to_thread(self._answer_to, principal, method, request_id)

    def _answer_to(self, principal: str, method: str, request_id: str) -> StoredAnswer | None:
        query = select(results.c.id, results.c.payload_sha256, results.c.answer).where(
            results.c.principal == principal,
            results.c.method == method,
            results.c.request_id == request_id,
        )
        with self.database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return row and StoredAnswer(result_id=row.id, payload_sha256=row.payload_sha256, answer=row.answer)

    async def find(self, result_id: str) -> ResultRow:
        """One result, with its answer.

        Raises:
            NotFoundError: there is none, or none any more.
        """
        return await asyncio.to_thread(self._find, result_id)

    def _find(self, result_id: str) -> ResultRow:
        query = select(*COLUMNS_WITHOUT_ANSWER, results.c.answer).where(results.c.id == result_id)
        with self.database.reading() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise not_found(result_id)
        return to_result(row)


def not_found(result_id: str) -> NotFoundError:
    """The error where a result was named that is not kept."""
    return NotFoundError(f"result '{result_id}': expected one that is kept here, found none")


def count_between(
    database: Database, start: datetime | None, end: datetime | None, *, model: str | None = None
) -> int:
    """How many rows `rows_between` gives."""
    with database.reading() as connection:
        query = select(func.count()).select_from(results).where(*_between(start, end, model))
        return connection.execute(query).scalar_one()


def rows_between(
    database: Database, start: datetime | None, end: datetime | None, *, model: str | None = None
) -> Iterator[tuple[ResultRow, Disposition | None]]:
    """Results from `start` on and before `end`, oldest first, each with its newest disposition and without its answer.

    They are read page by page, so that a long export neither holds them all nor keeps others waiting; what is written or deleted
    meanwhile may be in it or not.

    Args:
        start: absent: from the first; so for `end`: to the last.
        model: absent: of every model.

    Raises:
        StorageError: the database does not answer.
    """
    place = tuple_(results.c.judged_at, results.c.id)
    query = (
        select(*COLUMNS_WITHOUT_ANSWER, *DISPOSITION_COLUMNS)
        .outerjoin(dispositions, dispositions.c.id == results.c.disposition_id)
        .where(*_between(start, end, model))
        .order_by(results.c.judged_at, results.c.id)
        .limit(_PAGE)
    )
    page = query
    while True:
        with database.reading() as connection:
            rows = connection.execute(page).mappings().all()
        for row in rows:
            yield to_result(row), None if row["found_label"] is None else to_disposition(row)
        if len(rows) < _PAGE:
            return
        last = literal(rows[-1]["judged_at"], results.c.judged_at.type)
        page = query.where(place > tuple_(last, rows[-1]["id"]))


def is_of(model: str | None) -> ColumnElement[bool]:
    """Of this model, or of any."""
    return true() if model is None else results.c.model_name == model


def _between(
    start: datetime | None, end: datetime | None, model: str | None
) -> Iterator[ColumnElement[bool]]:
    yield is_of(model)
    if start is not None:
        yield results.c.judged_at >= start
    if end is not None:
        yield results.c.judged_at < end


def to_result(row: RowMapping) -> ResultRow:
    """The result of a row that holds `COLUMNS_WITHOUT_ANSWER`, and perhaps the answer."""
    return ResultRow(**{name: row[name] for name in RESULT_FIELDS if name in row})


def to_disposition(row: RowMapping) -> Disposition:
    """The disposition of a row that holds `DISPOSITION_COLUMNS`."""
    return Disposition(
        label=row["found_label"], by=row["by_user"], note=row["note"], found_at=row["found_at"]
    )
