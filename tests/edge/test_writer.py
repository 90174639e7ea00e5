"""The ledger's thread: rows that wait for each other are kept together, and nothing is promised that the disk refused."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typing_extensions import override

from edge.ledger import FILE, Begun, Ended, Ledger, Outcome, audit
from edge.outbox import Mark
from edge.pruning import Limits
from edge.writer import LedgerWriter
from tests.pictures import small_disk
from vision.errors import StorageError


def writer(
    folder: Path,
    *,
    wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    alarms: list[str] | None = None,
    reserve: int = 4096,
) -> LedgerWriter:
    heard = alarms if alarms is not None else []
    return LedgerWriter(
        lambda: Ledger(folder, boot="boot", reserve_bytes=reserve), alarm=heard.append, wall=wall
    )


def ended(part: int) -> Ended:
    return Ended(part=part, outcome=Outcome.ACCEPT, reason="confident")


def test_what_was_promised_is_kept(tmp_path: Path) -> None:
    async def work() -> None:
        book = writer(tmp_path)
        await book.start()
        for _ in range(50):
            part, begun = book.begin(None)
            await asyncio.gather(begun, book.end(ended(part)))
        await book.stop()

    asyncio.run(work())
    assert audit(tmp_path).outcomes[Outcome.ACCEPT] == 50


def test_numbers_go_on_where_the_last_run_ended(tmp_path: Path) -> None:
    async def work() -> int:
        book = writer(tmp_path)
        await book.start()
        part, begun = book.begin(None)
        await asyncio.gather(begun, book.end(ended(part)))
        await book.stop()
        return part

    assert [asyncio.run(work()) for _ in range(3)] == [1, 2, 3]


def test_a_wall_clock_that_leaps_confuses_no_part(tmp_path: Path) -> None:
    """An hour back, two days on: times are for people, numbers are the order."""
    leaps = iter([0, -3600, 2 * 86400, -7 * 86400])
    begin = datetime(2026, 3, 29, 1, 59, tzinfo=UTC)

    async def work() -> None:
        book = writer(tmp_path, wall=lambda: begin + timedelta(seconds=next(leaps)))
        await book.start()
        for _ in range(4):
            part, begun = book.begin(None)
            await asyncio.gather(begun, book.end(ended(part)))
        await book.stop()

    asyncio.run(work())
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        rows = connection.execute("SELECT part, triggered_at FROM part ORDER BY part").fetchall()
    assert [part for part, _ in rows] == [1, 2, 3, 4]
    assert datetime.fromisoformat(rows[1][1]) < datetime.fromisoformat(rows[0][1])
    assert audit(tmp_path).balanced


def test_when_the_disk_is_full_the_reserve_goes_first_and_nothing_is_promised_after_it(
    tmp_path: Path,
) -> None:
    alarms = list[str]()

    async def fill(folder: Path) -> tuple[int, StorageError]:
        book = writer(folder, alarms=alarms, reserve=256 * 1024)
        await book.start()
        kept = 0
        try:
            while True:
                part, begun = book.begin(None)
                await begun
                await book.end(Ended(part=part, outcome=Outcome.FAULT, reason="camera", detail="x" * 2000))
                kept += 1
        except StorageError as error:
            with pytest.raises(StorageError):
                await book.begin(None)[1]
            return kept, error
        finally:
            await book.stop()

    with small_disk(tmp_path / "small", kibibytes=1024) as folder:
        kept, error = asyncio.run(fill(folder))
        assert "cannot be written" in str(error)
        assert audit(folder).outcomes[Outcome.FAULT] == kept
    assert alarms == ["the disk is full: the ledger's reserve is in use"]


def test_whatever_keeps_a_ledger_from_being_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    def surprise() -> Ledger:
        raise PermissionError("nobody thought of this")

    for book, said in (
        (writer(tmp_path / "file" / "station"), "cannot be made: Not a directory"),
        (LedgerWriter(surprise, alarm=print), "PermissionError: nobody thought of this"),
    ):
        with pytest.raises(StorageError, match=said):
            asyncio.run(book.start())


def test_whatever_ends_a_commit_nothing_is_promised_after_it(tmp_path: Path) -> None:
    class Surprising(Ledger):
        @override
        def commit(self, changes: Sequence[Begun | Ended], *, acknowledged: int = 0) -> None:
            if changes:
                raise OSError("nobody thought of this")

    async def work() -> None:
        book = LedgerWriter(lambda: Surprising(tmp_path, boot="boot", reserve_bytes=0), alarm=print)
        await book.start()
        for _ in range(2):
            with pytest.raises(StorageError, match="OSError: nobody thought of this"):
                await book.begin(None)[1]
        await book.stop()

    asyncio.run(work())


def test_rows_that_nobody_has_are_deleted_with_one_alarm(tmp_path: Path) -> None:
    mark, heard = Mark(acknowledged=2), list[str]()
    limits = Limits(keep_rows=3, max_rows=5)

    async def work() -> None:
        book = LedgerWriter(
            lambda: Ledger(tmp_path, boot="boot", reserve_bytes=4096, limits=limits),
            alarm=heard.append,
            mark=mark,
        )
        await book.start()
        for _ in range(12):
            part, begun = book.begin(None)
            await asyncio.gather(begun, book.end(ended(part)))
        await book.stop()

    asyncio.run(work())
    found = audit(tmp_path)
    assert (found.triggers, found.pruned, found.discarded, found.balanced) == (12, 7, 5, True)
    assert mark.discarded == 5
    assert heard == ["the ledger has as many rows as it may: the oldest are deleted, and no server has them"]
