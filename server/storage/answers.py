"""Answers that are given again to whoever asks the same under the same request id.

What they say is their writer's business. Calls block; an event loop makes them in a thread.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from server.storage.catalog_tables import catalog_answers
from server.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """What was answered, and the digest of what had been asked."""

    payload_sha256: str
    answer: bytes


@dataclass(frozen=True, slots=True)
class Answers:
    """The catalog's."""

    database: Database

    def find(self, principal: str, method: str, request_id: str) -> KeptAnswer | None:
        """What the same caller was answered under this request id, if anything.

        Raises:
            StorageError: the database does not answer.
        """
        query = select(catalog_answers.c.payload_sha256, catalog_answers.c.answer).where(
            catalog_answers.c.principal == principal,
            catalog_answers.c.method == method,
            catalog_answers.c.request_id == request_id,
        )
        with self.database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return row and KeptAnswer(payload_sha256=row.payload_sha256, answer=row.answer)

    def keep(self, key: tuple[str, str, str], kept: KeptAnswer, at: datetime) -> KeptAnswer:
        """Keep an answer; gives the one that holds, which another server may have kept a moment ago.

        Raises:
            StorageError: it was not written.
        """
        principal, method, request_id = key
        with self.database.writing() as connection:
            try:
                with connection.begin_nested():
                    connection.execute(
                        insert(catalog_answers).values(
                            principal=principal,
                            method=method,
                            request_id=request_id,
                            payload_sha256=kept.payload_sha256,
                            answer=kept.answer,
                            answered_at=at,
                        )
                    )
            except IntegrityError:  # there is one
                pass
            else:
                return kept
        return self.find(*key) or kept

    def forget(self, before: datetime) -> int:
        """Keep no answer any more that was given before a time; gives how many they were.

        Raises:
            StorageError: it was not written.
        """
        with self.database.writing() as connection:
            return connection.execute(
                delete(catalog_answers).where(catalog_answers.c.answered_at < before)
            ).rowcount
