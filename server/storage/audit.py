"""The audit log in the database: who changed something or took something out, appended and never changed.

An entry is written before what it tells of is done: it says that somebody who may asked for it, not that it went well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from server.storage.database import Database
from server.storage.tables import audit_log

_MAX_DETAIL = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the log.

    Attributes:
        by: a token's user, or `local:NAME` for whoever ran a command on the server's machine.
        action: a gRPC method, or a command.
    """

    at: datetime
    by: str
    action: str
    detail: str


def append(connection: Connection, *, by: str, action: str, detail: str) -> None:
    """Write an entry in the transaction of what it tells of; a long detail is cut at 1,000 characters."""
    values = {"principal": by, "action": action, "detail": detail[:_MAX_DETAIL]}
    connection.execute(insert(audit_log).values(at=datetime.now(UTC), **values))


class AuditLog:
    """The log of every server on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, by: str, action: str, detail: str) -> None:
        """As `append`, in a transaction of its own.

        Raises:
            StorageError: it could not be written.
        """
        with self._database.writing() as connection:
            append(connection, by=by, action=action, detail=detail)

    def entries(self, since: datetime | None = None) -> Sequence[Entry]:
        """What was written from a time on, the oldest first."""
        query = select(audit_log).order_by(audit_log.c.id)
        if since is not None:
            query = query.where(audit_log.c.at >= since)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [Entry(at=row.at, by=row.principal, action=row.action, detail=row.detail) for row in rows]
