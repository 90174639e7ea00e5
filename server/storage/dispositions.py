"""What people found: which results wait for a person, what was said of them, and what the audit shows.

Every disposition is kept; the newest of a result counts. Times come from the caller.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Executable,
    RowMapping,
    and_,
    case,
    func,
    insert,
    not_,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.exc import IntegrityError

from server.storage.database import Database
from server.storage.results import (
    COLUMNS_WITHOUT_ANSWER,
    DISPOSITION_COLUMNS,
    Disposition,
    ResultRow,
    is_of,
    not_found,
    to_disposition,
    to_result,
)
from server.storage.tables import IS_OPEN_AUDIT, IS_OPEN_REVIEW, dispositions, results
from vision.inspection.policy import Decision

_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCounts:
    """Parts, from which the escape rate follows.

    Attributes:
        accepted: of the accepted ones, all that are kept, looked at or not.
        audited: accepted ones that were drawn for the audit and looked at.
        escapes: those of `audited` that were found defective.
        caught: parts that were not accepted, and that a person found defective.
    """

    accepted: int
    audited: int
    escapes: int
    caught: int


@dataclass(frozen=True, slots=True)
class Dispositions:
    """What people found."""

    database: Database

    async def pending(self, model: str | None, limit: int) -> list[ResultRow]:
        """At most `limit` results that wait for a person, without their answers: reviews, then the audit sample, the oldest first.

        Args:
            model: absent: of every model.
        """
        return await asyncio.to_thread(self._pending, model, limit)

    def _pending(self, model: str | None, limit: int) -> list[ResultRow]:
        found: list[ResultRow] = []
        with self.database.reading() as connection:
            for waits in (IS_OPEN_REVIEW, IS_OPEN_AUDIT):
                query = (
                    select(*COLUMNS_WITHOUT_ANSWER)
                    .where(is_of(model), waits)
                    .order_by(results.c.judged_at, results.c.id)
                    .limit(limit - len(found))
                )
                found += map(to_result, connection.execute(query).mappings())
        return found

    async def dispose(self, result_id: str, found: Disposition) -> None:
        """Keep what a person found.

        Raises:
            NotFoundError: there is no such result, or none any more.
            StorageError: it was not written.
        """
        await asyncio.to_thread(self._dispose, result_id, found)

    def _dispose(self, result_id: str, found: Disposition) -> None:
        values = {
            "result_id": result_id,
            "label": found.label,
            "by_user": found.by,
            "note": found.note,
            "found_at": found.found_at,
        }
        with self.database.writing() as connection:
            try:
                key = connection.execute(insert(dispositions).values(values).returning(dispositions.c.id))
            except IntegrityError as error:  # the foreign key: also where the result was deleted a moment ago
                raise not_found(result_id) from error
            disposition_id = key.scalar_one()
            older = or_(
                results.c.disposition_id.is_(None), results.c.disposition_id < disposition_id
            )  # two at once may come here in either order
            connection.execute(
                update(results).where(results.c.id == result_id, older).values(disposition_id=disposition_id)
            )

    async def newest(self, model: str | None) -> AsyncIterator[tuple[ResultRow, Disposition]]:
        """Every result that has a disposition, without its answer and with the newest, in the order in which they were given.

        They are read page by page; what is given meanwhile may be in it or not.

        Args:
            model: absent: of every model.
        """
        query = (
            select(*COLUMNS_WITHOUT_ANSWER, *DISPOSITION_COLUMNS, results.c.disposition_id)
            .select_from(dispositions)
            .join(results, results.c.id == dispositions.c.result_id)
            .where(results.c.disposition_id == dispositions.c.id, is_of(model))
            .order_by(dispositions.c.id)
            .limit(_PAGE)
        )
        after = 0
        while True:
            rows = await asyncio.to_thread(self._rows, query.where(dispositions.c.id > after))
            for row in rows:
                yield to_result(row), to_disposition(row)
            if len(rows) < _PAGE:
                return
            after = rows[-1]["disposition_id"]

    def _rows(self, query: Executable) -> Sequence[RowMapping]:
        with self.database.reading() as connection:
            return connection.execute(query).mappings().all()

    async def audit_counts(
        self, model: str, good: str, *, digest: str | None = None, since: datetime | None = None
    ) -> AuditCounts:
        """Count a model's parts for its escape rate.

        Retention deletes accepted parts that nobody looked at and keeps those that somebody did. Counted over more than the time
        for which all are kept, the accepted ones would look fewer, and the escape rate smaller, than they were.

        Args:
            good: the label of a good part; every other label is a defect.
            digest: of one version of the model alone.
            since: only parts judged from then on; no older than retention's `max_age`.
        """
        return await asyncio.to_thread(self._audit_counts, model, good, digest, since)

    def _audit_counts(self, model: str, good: str, digest: str | None, since: datetime | None) -> AuditCounts:
        accepted = results.c.decision == Decision.ACCEPT
        defective = dispositions.c.label != good  # unknown, and so not counted, where nobody has looked
        audited = and_(accepted, results.c.audit.is_(true()), dispositions.c.id.is_not(None))
        query = (
            select(
                _count(accepted).label("accepted"),
                _count(audited).label("audited"),
                _count(and_(audited, defective)).label("escapes"),
                _count(and_(not_(accepted), defective)).label("caught"),
            )
            .select_from(results)
            .outerjoin(dispositions, dispositions.c.id == results.c.disposition_id)
            .where(is_of(model))
        )
        if digest is not None:
            query = query.where(results.c.model_digest == digest)
        if since is not None:
            query = query.where(results.c.judged_at >= since)
        with self.database.reading() as connection:
            return AuditCounts(**connection.execute(query).mappings().one())


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))
