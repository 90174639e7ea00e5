"""A database is opened with its newest schema, or it is said in one sentence, without a password, why not."""

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, inspect, select, text

from server.storage.database import Database, open_database
from server.storage.tables import audit_log, metadata, results
from tests.server.storage.postgres import Postgres
from tests.server.storage.rows import NOON, keep, result
from vision.errors import MissingExtraError, SettingsError, StorageError

ROOT: Final = Path(__file__).parents[3]


def pragma(database: Database, name: str) -> object:
    with database.reading() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def note(database: Database, detail: str) -> None:
    with database.writing() as connection:
        connection.execute(insert(audit_log).values(at=NOON, principal="ada", action="load", detail=detail))


def notes(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(select(audit_log.c.detail).order_by(audit_log.c.id)).scalars())


# --- the schema


def test_the_migrations_lead_to_exactly_the_tables_that_the_code_knows(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_migrations_make_every_index_with_its_condition(database: Database) -> None:
    with database.reading() as connection:
        made = {str(index["name"]): index for index in inspect(connection).get_indexes("results")}
    expected = {str(index.name): index for index in results.indexes}
    assert made.keys() == expected.keys()
    for name, index in made.items():
        options = index["dialect_options"]
        assert any(option.endswith("_where") for option in options) == (name != "ix_results_judged_at")
        assert bool(index["unique"]) == (name == "uq_results_request")


def test_opening_again_keeps_what_is_there(url: str) -> None:
    first = open_database(url)
    note(first, "cells-1.0")
    first.close()

    second = open_database(url)
    assert notes(second) == ["cells-1.0"]
    second.close()


def test_a_schema_of_a_newer_loupe_is_refused_and_left_alone(url: str) -> None:
    database = open_database(url)
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StorageError, match=r"expected a schema that this Loupe knows: .*9999"):
        open_database(url)

    with database.reading() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
    database.close()


OPENING: Final = """
import sys
from server.storage.database import open_database
print("ready", flush=True)
sys.stdin.readline()
open_database(sys.argv[1]).close()
"""


def test_several_servers_may_open_a_new_database_at_once(url: str) -> None:
    command = [sys.executable, "-c", OPENING, url]
    pipe = subprocess.PIPE
    servers = [
        subprocess.Popen(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe, stderr=pipe) for _ in range(4)
    ]
    for server in servers:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"

    for server in servers:
        assert server.stdin is not None
        server.stdin.write("go\n")
        server.stdin.flush()

    for server in servers:
        _, said = server.communicate(timeout=60)
        assert (server.returncode, said) == (0, "")


def test_a_new_file_that_somebody_is_writing_is_waited_for(tmp_path: Path) -> None:
    with closing(
        sqlite3.connect(tmp_path / "results.db", isolation_level=None, check_same_thread=False)
    ) as writer:
        writer.execute("BEGIN IMMEDIATE")
        done = threading.Timer(0.3, writer.execute, ["COMMIT"])
        done.start()
        open_database(f"sqlite:///{tmp_path / 'results.db'}").close()
        done.join()


# --- transactions


def test_a_block_that_fails_writes_nothing(database: Database) -> None:
    def fail() -> None:
        with database.writing() as connection:
            connection.execute(
                insert(audit_log).values(at=NOON, principal="ada", action="load", detail="half")
            )
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert notes(database) == []


def test_an_error_names_the_database_and_the_problem_and_not_what_was_to_be_written(
    database: Database,
) -> None:
    keep(database, row := result())

    def write_again() -> None:
        with database.writing() as connection:
            connection.execute(insert(results).values(row.values() | {"part": "a secret part"}))

    with pytest.raises(StorageError) as caught:
        write_again()
    said = str(caught.value)
    assert said.startswith(f"{database.name}: ")
    assert "unique" in said.lower()
    assert "secret" not in said
    assert "INSERT" not in said


def test_sqlite_is_set_up_for_many_readers_and_one_writer(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'results.db'}", wait_s=3)
    assert pragma(database, "journal_mode") == "wal"
    assert pragma(database, "synchronous") == 1  # NORMAL
    assert pragma(database, "foreign_keys") == 1
    assert pragma(database, "busy_timeout") == 3000
    database.close()


def test_a_lock_is_waited_for_and_then_given_up(url: str) -> None:
    holder, other = open_database(url), open_database(url, wait_s=0.2)

    def write_while_locked() -> None:
        with holder.writing() as connection:
            if holder.engine.dialect.name == "postgresql":
                connection.execute(text("LOCK TABLE audit_log"))
            note(other, "too late")

    with pytest.raises(StorageError, match=r"database is locked|lock timeout"):
        write_while_locked()

    note(other, "now")
    assert notes(holder) == ["now"]
    holder.close()
    other.close()


def test_the_wait_outlives_a_transaction_that_was_undone(url: str) -> None:
    database = open_database(url, wait_s=7)
    postgresql = database.engine.dialect.name == "postgresql"
    with database.reading():  # so that the next one is a new connection
        with suppress(KeyError), database.writing():
            raise KeyError
        with database.reading() as connection:
            waits = connection.exec_driver_sql("SHOW lock_timeout" if postgresql else "PRAGMA busy_timeout")
            assert waits.scalar_one() == ("7s" if postgresql else 7000)
    database.close()


def test_who_reads_first_and_then_writes_does_not_lose_to_another_writer(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'results.db'}"
    one, other = open_database(url), open_database(url, wait_s=0)

    with one.writing() as connection:
        connection.execute(select(audit_log.c.id)).all()
        with pytest.raises(StorageError, match="database is locked"):
            note(other, "in between")
        connection.execute(insert(audit_log).values(at=NOON, principal="ada", action="load", detail="first"))

    assert notes(other) == ["first"]
    one.close()
    other.close()


# --- what cannot be opened


def test_the_folder_of_a_sqlite_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new folder 100%" / "results.db"
    open_database(f"sqlite:///{path}").close()
    assert path.exists()


def test_an_old_database_is_asked_for_where_none_may_be_made(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "results.db"
    with pytest.raises(StorageError, match=r"results\.db: expected a database, found no file"):
        open_database(f"sqlite:///{path}", create=False)
    assert not path.parent.exists()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    path.write_bytes(b"a day's work " * 100)
    with pytest.raises(StorageError, match=r"results\.db: file is not a database"):
        open_database(f"sqlite:///{path}")
    assert path.read_bytes() == b"a day's work " * 100


def test_a_folder_below_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(StorageError, match=r"taken: (File exists|Not a directory)"):
        open_database(f"sqlite:///{tmp_path / 'taken' / 'results.db'}")


def test_a_folder_in_place_of_the_file_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="unable to open database file"):
        open_database(f"sqlite:///{tmp_path}")


def test_a_damaged_database_is_a_storage_error(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    open_database(f"sqlite:///{path}").close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(StorageError, match=r"results\.db: .*malformed"):
        keep(open_database(f"sqlite:///{path}"), result())


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("results.db", "found no URL"),
        ("", "found no URL"),
        ("postgresql://ada:secret@host:port/name", "found no URL"),
        ("mysql://ada:secret@host/name", "found mysql"),
        ("postgresql+asyncpg://ada:secret@host/name", "found postgresql.asyncpg"),
        ("sqlite://", "found a database in memory"),
        ("sqlite:///:memory:", "found a database in memory"),
    ],
)
def test_another_kind_of_url_is_a_mistake_in_the_settings(url: str, found: str) -> None:
    with pytest.raises(SettingsError, match=f"expected sqlite:///FILE or postgresql://.*, {found}") as caught:
        open_database(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["postgresql://ada:secret@127.0.0.1:1/name", "postgresql://127.0.0.1:1/name?user=ada&password=secret"],
)
def test_a_server_that_does_not_answer_is_named_without_the_password(url: str) -> None:
    with pytest.raises(StorageError, match=r"127\.0\.0\.1:1/name.*refused") as caught:
        open_database(url)
    assert "secret" not in str(caught.value)


def test_a_database_that_the_server_does_not_have_is_a_storage_error(postgres: Postgres) -> None:
    with pytest.raises(StorageError, match='database "nothing" does not exist'):
        open_database(postgres.url("nothing"))


def test_without_the_driver_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'loupe\[postgres\]'"):
        open_database("postgresql://ada@127.0.0.1:1/name")


def test_a_closed_sqlite_database_leaves_one_whole_file(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'results.db'}")
    keep(database, result())
    database.close()

    assert [path.name for path in tmp_path.iterdir()] == ["results.db"]
    with sqlite3.connect(tmp_path / "results.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
