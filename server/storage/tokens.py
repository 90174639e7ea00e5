"""Tokens in the database: `server.auth.TokenStore` over the table `tokens`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, insert, select, update

from server.auth import Role, TokenRecord
from server.storage.audit import append
from server.storage.database import Database
from server.storage.tables import tokens
from vision.errors import StorageError


class DatabaseTokens:
    """The tokens of every server on this database. Each call is one short transaction, with its entry in the audit log.

    Args:
        by: who adds and revokes, for that log.
    """

    def __init__(self, database: Database, *, by: str = "server") -> None:
        self._database, self._by = database, by

    def add(self, record: TokenRecord) -> None:
        with self._database.writing() as connection:
            connection.execute(insert(tokens).values(_row(record)))
            detail = f"token {record.id} of {record.user}: {', '.join(sorted(record.roles))}"
            append(connection, by=self._by, action="token create", detail=detail)

    def find(self, wanted: str) -> TokenRecord | None:
        with self._database.reading() as connection:
            row = connection.execute(select(tokens).where(tokens.c.id == wanted)).mappings().one_or_none()
        return None if row is None else self._record(row)

    def revoke(self, wanted: str, at: datetime) -> TokenRecord | None:
        in_force = (tokens.c.id == wanted) & tokens.c.revoked_at.is_(None)
        with self._database.writing() as connection:
            if connection.execute(update(tokens).where(in_force).values(revoked_at=at)).rowcount:
                append(connection, by=self._by, action="token revoke", detail=f"token {wanted}")
            row = connection.execute(select(tokens).where(tokens.c.id == wanted)).mappings().one_or_none()
        return None if row is None else self._record(row)

    def all(self) -> Sequence[TokenRecord]:
        with self._database.reading() as connection:
            rows = (
                connection.execute(select(tokens).order_by(tokens.c.created_at, tokens.c.id)).mappings().all()
            )
        return [self._record(row) for row in rows]

    def _record(self, row: RowMapping) -> TokenRecord:
        try:
            return TokenRecord(**{**row, "roles": frozenset(map(Role, row["roles"]))})
        except ValueError as error:
            raise StorageError(
                f"{self._database.name}: token {row['id']}: expected roles of {', '.join(Role)}, found {row['roles']}"
            ) from error


def _row(record: TokenRecord) -> Mapping[str, Any]:
    return {
        "id": record.id,
        "user": record.user,
        "roles": sorted(record.roles),
        "sha256": record.sha256,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "revoked_at": record.revoked_at,
    }
