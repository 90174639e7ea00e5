"""Writes results, many in one commit.

`add` takes a row from the event loop and returns once it is committed. One thread does the writing: while it commits, rows gather, and
the next commit takes all of them. It outlives every error of the database: those who wait are told, and later rows are tried again.
"""

import asyncio
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Insert
from sqlalchemy.dialects import postgresql, sqlite

from server.storage.database import Database, blames_a_row
from server.storage.results import ResultRow
from server.storage.tables import HAS_REQUEST_ID, REQUEST_KEY, results
from vision.errors import SettingsError, StorageError

_Outcome = bool | StorageError


@dataclass(frozen=True, slots=True)
class _Waiting:
    row: ResultRow
    done: asyncio.Future[bool]


class Writer:
    """Commits rows in groups. It belongs to the event loop that first calls it.

    Args:
        capacity: how many rows may wait or be under way; further calls of `add` wait for a place.

    Raises:
        SettingsError: a capacity below one.
    """

    def __init__(self, database: Database, capacity: int) -> None:
        if capacity < 1:
            raise SettingsError(f"capacity: expected room for one row at least, found {capacity}")
        self._database, self._capacity = database, capacity
        self._insert = _insert_for(database)
        self._places = asyncio.Semaphore(capacity)
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closing = self._closed = False
        self._thread = threading.Thread(target=self._serve, name="results-writer", daemon=True)
        self._thread.start()

    async def add(self, row: ResultRow) -> bool:
        """Write a row; returns once it is committed.

        Cancelling the wait does not take the row back.

        Returns:
            False where principal, method and request id have a row already, which stays as it is.

        Raises:
            StorageError: it was not written.
        """
        if self._closing:
            raise self._refusal()
        await self._places.acquire()
        if self._closed:
            self._places.release()  # to the next, who is refused as well
            raise self._refusal()
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.put(_Waiting(row, done))
        return await done

    async def close(self) -> None:
        """Take no more rows, write those that were handed in before, and end the thread."""
        if not self._closing:
            self._closing = True
            try:
                # places are given in turn: the last one comes after every earlier row
                for _ in range(self._capacity):
                    await self._places.acquire()
            finally:  # also where this was cancelled; rows that still wait for a place are then refused
                self._closed = True
                self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)

    def _refusal(self) -> StorageError:
        return StorageError(f"{self._database.name}: the writer is closed")

    def _serve(self) -> None:
        last = False
        while not last:
            taken = self._take()
            last = None in taken
            rows = [one for one in taken if one is not None]
            for one, outcome in zip(rows, self._store([one.row for one in rows]), strict=True):
                with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                    one.done.get_loop().call_soon_threadsafe(self._tell, one.done, outcome)

    def _take(self) -> list[_Waiting | None]:
        """Everything that waits, one row at least; with None, the last."""
        taken = [self._waiting.get()]
        while not self._waiting.empty():
            taken.append(self._waiting.get())
        return taken

    def _tell(self, done: asyncio.Future[bool], outcome: _Outcome) -> None:
        self._places.release()
        if done.done():  # cancelled
            return
        if isinstance(outcome, StorageError):
            done.set_exception(StorageError(str(outcome)))  # one each: raising adds to an error
        else:
            done.set_result(outcome)

    def _store(self, rows: Sequence[ResultRow]) -> list[_Outcome]:
        """Commit the rows together; where one of them cannot be written, each by itself."""
        if not rows:
            return []
        try:
            return list(self._commit(rows))
        except StorageError as error:
            if not blames_a_row(error):
                return [error] * len(rows)
            refused = error
        except Exception as error:  # noqa: BLE001  (a worker's loop: who waits must be told, and the next rows are served)
            refused = StorageError(f"{self._database.name}: {type(error).__name__}: {error}")
        if len(rows) == 1:
            return [refused]
        return [outcome for row in rows for outcome in self._store([row])]

    def _commit(self, rows: Sequence[ResultRow]) -> list[bool]:
        with self._database.writing() as connection:
            inserted = connection.execute(self._insert, [row.values() for row in rows])
            written = set(inserted.scalars())
        return [row.id in written for row in rows]


def _insert_for(database: Database) -> Insert:
    """Leaves out rows whose request has one already, and gives the ids of the others."""
    insert = postgresql.insert if database.engine.dialect.name == "postgresql" else sqlite.insert
    return (
        insert(results)
        .on_conflict_do_nothing(index_elements=REQUEST_KEY, index_where=HAS_REQUEST_ID)
        .returning(results.c.id)
    )
