"""A row that was acknowledged is there, whatever happens next; one that was not written says so, and harms no other."""

import asyncio
import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import event, func, select, text

from server.storage.database import Database, open_database
from server.storage.results import Results
from server.storage.tables import results
from server.storage.writer import Writer
from tests.pictures import small_disk
from tests.server.storage.postgres import postgres_server
from tests.server.storage.rows import result, review
from vision.errors import SettingsError, StorageError

ROOT: Final = Path(__file__).parents[3]
FULL: Final = {
    "database or disk is full",
    "disk I/O error",
}  # as SQLite says it, by which of its files was refused


@asynccontextmanager
async def writing_to(database: Database, capacity: int = 100) -> AsyncIterator[Writer]:
    writer = Writer(database, capacity)
    try:
        yield writer
    finally:
        await writer.close()


@contextmanager
def locked(database: Database) -> Iterator[None]:
    """Nobody else can write meanwhile."""
    with database.writing() as connection:
        if database.engine.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE results"))
        yield


async def fill(writer: Writer, answer: bytes) -> tuple[int, str]:
    """Write rows until one is refused; how many were written, and why no more."""
    for written in itertools.count():
        try:
            await writer.add(result(answer=answer))
        except StorageError as error:
            return written, str(error)
    raise AssertionError


def ids(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(connection.execute(select(results.c.id)).scalars())


def commits(database: Database) -> list[None]:
    """Grows by one with each commit from now on."""
    seen: list[None] = []
    event.listen(database.engine, "commit", lambda _: seen.append(None))
    return seen


@pytest.mark.asyncio
async def test_a_row_is_there_once_its_add_returns_and_reads_back_as_it_was(database: Database) -> None:
    row = result(
        request_id="r-1", answer=b"\0answer", part="Zelle №7\n'\"", label=None, probability=None, audit=True
    )
    async with writing_to(database) as writer:
        assert await writer.add(row)
        assert await Results(database).find(row.id) == row


@pytest.mark.asyncio
async def test_rows_that_wait_together_are_committed_together(database: Database) -> None:
    rows = [result() for _ in range(300)]
    async with writing_to(database, 300) as writer:
        seen = commits(database)
        assert await asyncio.gather(*map(writer.add, rows)) == [True] * 300
        assert len(seen) < 30
    assert ids(database) == {row.id for row in rows}


@pytest.mark.asyncio
async def test_more_rows_than_there_is_room_for_wait_for_a_place(database: Database) -> None:
    rows = [result() for _ in range(50)]
    async with writing_to(database, 3) as writer:
        seen = commits(database)
        await asyncio.gather(*map(writer.add, rows))
        assert len(seen) >= 17  # never more than three rows in one
    assert ids(database) == {row.id for row in rows}


@pytest.mark.asyncio
async def test_several_writers_and_readers_get_along(database: Database) -> None:
    async with writing_to(database) as one, writing_to(database) as two, writing_to(database) as three:

        async def add_and_read(writer: Writer) -> None:
            for row in [review() for _ in range(60)]:
                assert await writer.add(row)
                assert await Results(database).find(row.id) == row

        await asyncio.gather(*map(add_and_read, (one, two, three)))
    assert len(ids(database)) == 180


# --- the same request twice


@pytest.mark.asyncio
async def test_a_second_row_for_a_request_is_left_out_and_the_others_of_its_commit_are_not(
    database: Database,
) -> None:
    first, second = result(request_id="r-1", answer=b"first"), result(request_id="r-1", answer=b"second")
    others = [result(), result(request_id="r-2"), result(request_id="r-1", principal="station-2")]
    others.append(result(request_id="r-1", method="InspectStream"))
    async with writing_to(database) as writer:
        stored = await asyncio.gather(*map(writer.add, [others[0], first, *others[1:3], second, others[3]]))

    assert stored == [True, True, True, True, False, True]
    assert ids(database) == {first.id, *(other.id for other in others)}
    answer = await Results(database).answer_to("station-1", "Inspect", "r-1")
    assert answer is not None
    assert (answer.result_id, answer.answer) == (first.id, b"first")


@pytest.mark.asyncio
async def test_a_request_is_known_after_the_writer_and_the_database_were_opened_again(url: str) -> None:
    for expected in (True, False):
        database = open_database(url)
        async with writing_to(database) as writer:
            assert await writer.add(result(request_id="r-1")) is expected
        database.close()


@pytest.mark.asyncio
async def test_rows_without_a_request_id_are_never_the_same(database: Database) -> None:
    async with writing_to(database) as writer:
        assert await asyncio.gather(*(writer.add(result()) for _ in range(5))) == [True] * 5


# --- rows that cannot be written


@pytest.mark.asyncio
async def test_a_row_that_cannot_be_written_says_so_alone(database: Database) -> None:
    rows = [result() for _ in range(20)]
    wrong = [
        result(id=rows[0].id),  # taken
        result(part=None),
        result(judged_at=rows[0].judged_at.replace(tzinfo=None)),
        result(part="\ud800"),  # half a character
    ]
    async with writing_to(database) as writer:
        outcomes = await asyncio.gather(*map(writer.add, [*rows, *wrong]), return_exceptions=True)

        assert outcomes[:20] == [True] * 20
        for outcome in outcomes[20:]:
            assert isinstance(outcome, StorageError)
            assert str(outcome).startswith(f"{database.name}: ")
        assert await writer.add(result())
    assert len(ids(database)) == 21


@pytest.mark.asyncio
async def test_while_the_database_is_locked_all_rows_are_refused_together_and_later_ones_are_written(
    url: str,
) -> None:
    holder, database = open_database(url), open_database(url, wait_s=0.3)
    async with writing_to(database) as writer:
        started = time.monotonic()
        with locked(holder):
            refused = await asyncio.gather(*(writer.add(result()) for _ in range(20)), return_exceptions=True)
        assert time.monotonic() - started < 3  # one wait for all of them, not one for each
        assert [type(error) for error in refused] == [StorageError] * 20
        assert len({id(error) for error in refused}) == 20
        assert all("lock" in str(error) for error in refused)
        assert await writer.add(row := result())
    assert ids(database) == {row.id}
    holder.close()
    database.close()


@pytest.mark.asyncio
async def test_a_short_lock_is_waited_for(url: str) -> None:
    holder, database = open_database(url), open_database(url, wait_s=20)
    async with writing_to(database) as writer:
        with locked(holder):
            adding = asyncio.create_task(writer.add(result()))
            await asyncio.sleep(0.3)
            assert not adding.done()
        assert await adding
    holder.close()
    database.close()


@pytest.mark.asyncio
async def test_a_full_database_refuses_rows_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'results.db'}")

    def limit(
        pages: int,
    ) -> None:  # of each connection; the pool hands out one here, as nothing is done at the same time
        with database.reading() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    async with writing_to(database) as writer:
        with database.reading() as connection:
            empty = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        limit(empty + 12)
        written, problem = await fill(writer, bytes(5000))
        assert problem == f"{database.name}: database or disk is full"
        assert len(ids(database)) == written > 0
        with pytest.raises(StorageError, match="database or disk is full"):
            await writer.add(result(answer=bytes(5000)))
        limit(1_000_000)
        assert await writer.add(result(answer=bytes(5000)))
    assert len(ids(database)) == written + 1
    database.close()


@pytest.mark.asyncio
async def test_a_full_disk_refuses_rows_and_keeps_the_earlier_ones(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=600) as disk:
        database = open_database(f"sqlite:///{disk / 'results.db'}")
        async with writing_to(database) as writer:
            written, problem = await fill(writer, bytes(20_000))
            assert problem in {f"{database.name}: {why}" for why in FULL}
            assert len(ids(database)) == written > 3
        database.close()
        with closing(sqlite3.connect(disk / "results.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("SELECT count(*) FROM results").fetchone() == (written,)


LIMITED: Final = """
import asyncio, resource, sys
from server.storage.database import open_database
from server.storage.writer import Writer
from tests.server.storage.rows import result
from vision.errors import StorageError

async def main():
    database = open_database(sys.argv[1])
    writer = Writer(database, 10)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
    written = 0
    try:
        while await writer.add(result(answer=bytes(20_000))):
            written += 1
    except StorageError as error:
        print(str(error).removeprefix(f"{database.name}: "))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    written += await writer.add(result())
    await writer.close()
    database.close()
    print(written)

asyncio.run(main())
"""


def test_a_limit_on_file_sizes_refuses_rows_and_the_process_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    command = [sys.executable, "-c", LIMITED, f"sqlite:///{path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    problem, written = done.stdout.splitlines()
    assert problem in FULL
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM results").fetchone() == (int(written),)
    assert int(written) > 3


@pytest.mark.asyncio
async def test_a_server_that_goes_away_refuses_rows_and_takes_them_when_it_is_back() -> None:
    with postgres_server() as server:
        database = open_database(server.url())
        async with writing_to(database) as writer:
            assert await writer.add(before := result())
            server.stop()
            refused = await asyncio.gather(*(writer.add(result()) for _ in range(3)), return_exceptions=True)
            assert [type(error) for error in refused] == [StorageError] * 3
            server.start()
            assert await writer.add(after := result())
            server.stop()
            server.start()
            assert await writer.add(at_once := result())  # a restart while nothing is written costs no row
        assert ids(database) == {before.id, after.id, at_once.id}
        database.close()


# --- the end


@pytest.mark.asyncio
async def test_closing_writes_what_was_handed_in_and_takes_no_more(database: Database) -> None:
    writer = Writer(database, 2)
    rows = [result() for _ in range(20)]
    adding = [asyncio.create_task(writer.add(row)) for row in rows]
    await asyncio.sleep(0)  # all of them have begun; most wait for a place

    await writer.close()

    assert await asyncio.gather(*adding) == [True] * 20
    assert ids(database) == {row.id for row in rows}
    with pytest.raises(StorageError, match="the writer is closed"):
        await writer.add(result())
    await writer.close()


@pytest.mark.asyncio
async def test_a_close_that_was_given_up_writes_what_has_a_place_and_refuses_the_rest(url: str) -> None:
    holder, database = open_database(url), open_database(url, wait_s=20)
    writer = Writer(database, 2)
    rows = [result() for _ in range(5)]
    with locked(holder):
        adding = [asyncio.create_task(writer.add(row)) for row in rows]
        await asyncio.sleep(0.1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.close(), 0.1)

    outcomes = await asyncio.gather(*adding, return_exceptions=True)
    await writer.close()

    assert outcomes[:2] == [True, True]
    assert [type(outcome) for outcome in outcomes[2:]] == [StorageError] * 3
    assert ids(database) == {row.id for row in rows[:2]}
    holder.close()
    database.close()


@pytest.mark.asyncio
async def test_who_stops_waiting_does_not_take_a_place_for_ever(url: str) -> None:
    holder, database = open_database(url), open_database(url, wait_s=20)
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    async with writing_to(database, 2) as writer:
        with locked(holder):
            adding = [asyncio.create_task(writer.add(result())) for _ in range(6)]
            await asyncio.sleep(0.1)
            for one in adding:
                one.cancel()
        assert await asyncio.gather(*adding, return_exceptions=True)
        assert await asyncio.gather(*(writer.add(result()) for _ in range(6))) == [True] * 6
    assert errors == []
    assert 6 <= len(ids(database)) <= 8  # the two that had a place may be there
    holder.close()
    database.close()


def test_a_loop_that_ends_early_does_not_end_the_thread_with_an_error(database: Database) -> None:
    row = result()

    async def add_and_leave() -> None:
        writer = Writer(database, 10)
        asyncio.create_task(writer.add(row))  # noqa: RUF006  (nobody waits for it: that is the case in question)
        await asyncio.sleep(0)

    asyncio.run(add_and_leave())
    for _ in range(200):
        if ids(database) == {row.id}:
            return
        time.sleep(0.01)
    pytest.fail("the row was not written")


def test_a_writer_without_room_is_a_mistake_in_the_settings(database: Database) -> None:
    with pytest.raises(SettingsError, match="capacity: expected room for one row at least, found 0"):
        Writer(database, 0)


# --- killed

ADDING: Final = """
import asyncio, sys
from server.storage.database import open_database
from server.storage.writer import Writer
from tests.server.storage.rows import result

async def add(writer):
    while True:
        row = result(answer=bytes(2000))
        await writer.add(row)
        print(row.id, flush=True)

async def main():
    writer = Writer(open_database(sys.argv[1]), 100)
    await asyncio.gather(*(add(writer) for _ in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("rows", [1, 100, 700, 1500])
def test_after_kill_9_every_acknowledged_row_is_there(rows: int, tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    command = [sys.executable, "-c", ADDING, f"sqlite:///{path}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(rows)]
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    assert process.returncode == -signal.SIGKILL

    database = open_database(f"sqlite:///{path}")
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        count = connection.execute(select(func.count()).select_from(results)).scalar_one()
    kept = ids(database)
    database.close()
    assert len(acknowledged) >= rows
    assert set(acknowledged) <= kept
    assert count == len(kept) <= len(acknowledged) + 100  # at most what was under way was not told any more
