"""One database: opened, brought to the newest schema, and its errors made ours.

SQLite in a file, or PostgreSQL by URL. Whoever reads or writes takes a connection for one short transaction and gives it back; a
connection belongs to one thread at a time. What the tables hold is not known here.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.pool import ConnectionPoolEntry

from server.masking import mask_text
from vision.errors import MissingExtraError, SettingsError, StorageError

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_MIGRATION_LOCK: Final = 0x6C6F757065  # any number that no other program on the same PostgreSQL uses: "loupe"
_MIGRATION_WAIT: Final = "5min"  # for another replica that is just migrating
_CONNECT_S: Final = 5
_GONE_MS: Final = 10_000  # after which an unanswered packet means that the server is gone
_AGAIN_S: Final = 0.01
_ALEMBIC: Final = threading.Lock()  # Alembic keeps the migration under way in a module


@dataclass(frozen=True, slots=True)
class Database:
    """An open database. `name` is its URL without the password."""

    engine: Engine
    name: str

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for one transaction that only reads.

        Raises:
            StorageError: the database does not answer or does not understand.
        """
        with translated(self.name), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[Connection]:
        """A connection for one transaction that writes; committed when the block ends well, else undone.

        Args:
            durable: once the block has ended, it survives a power cut as well. PostgreSQL sees to that by itself.

        Raises:
            StorageError: it was not written (disk full, locked for longer than the wait, gone).
        """
        with translated(self.name), _writing(self.engine, durable=durable) as connection:
            yield connection

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.engine.dispose()


def open_database(url: str, *, create: bool = True, wait_s: float = 5.0) -> Database:
    """Open a database and bring its schema to the newest revision.

    Args:
        url: `sqlite:///FILE` or `postgresql://USER@HOST/NAME`.
        create: make a SQLite file that is not there yet, and its folder.
        wait_s: how long a statement waits for a lock that another connection holds.

    Raises:
        SettingsError: the URL is of another kind.
        StorageError: it cannot be opened or migrated, or a newer Loupe has written it.
        MissingExtraError: PostgreSQL's driver is not installed.
    """
    parsed, name = _parse(url), mask_text(url)
    with translated(name):
        if parsed.get_backend_name() == "sqlite":
            _prepare_file(parsed, name, create=create)
            engine = _sqlite(parsed, wait_s)
        else:
            engine = _postgresql(parsed, wait_s)
        try:
            _migrate(engine, name)
        except BaseException:
            engine.dispose()
            raise
    return Database(engine=engine, name=name)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Make the errors of SQLAlchemy and its drivers ours, without the statement and what was in it."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, StatementError) else error
        raise StorageError(f"{name}: {mask_text(' '.join(str(cause).split()))}") from error


def blames_a_row(error: StorageError) -> bool:
    """Whether what was to be written is at fault, and not the database."""
    cause = error.__cause__
    never_sent = isinstance(cause, StatementError) and not isinstance(cause, DBAPIError)
    return never_sent or isinstance(cause, IntegrityError | DataError)


@contextmanager
def _writing(engine: Engine, *, durable: bool = False) -> Iterator[Connection]:
    with engine.connect() as connection:
        connection.execution_options(loupe_begin="BEGIN IMMEDIATE")
        with _synced(connection) if durable else nullcontext(), connection.begin():
            yield connection


@contextmanager
def _synced(connection: Connection) -> Iterator[None]:
    """Have SQLite wait for the disk at each commit of this connection."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = (
        connection.connection.driver_connection
    )  # its own: SQLAlchemy would begin a transaction first
    driver.execute("PRAGMA synchronous = FULL")
    try:
        yield
    finally:
        driver.execute("PRAGMA synchronous = NORMAL")


def _parse(url: str) -> URL:
    expected = "expected sqlite:///FILE or postgresql://USER@HOST/NAME"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # a port that is no number is a ValueError
        raise SettingsError(f"database '{mask_text(url)}': {expected}, found no URL") from error
    driver = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}.get(parsed.get_backend_name())
    if driver is None or parsed.drivername not in {driver, parsed.get_backend_name()}:
        raise SettingsError(f"database '{mask_text(url)}': {expected}, found {parsed.drivername}")
    if driver == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise SettingsError(f"database '{mask_text(url)}': {expected}, found a database in memory")
    return parsed.set(drivername=driver)


def _prepare_file(url: URL, name: str, *, create: bool) -> None:
    path = Path(url.database or "")
    try:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        elif not path.exists():
            raise StorageError(f"{name}: expected a database, found no file")
    except OSError as error:
        raise StorageError(f"{name}: {error.filename}: {error.strerror}") from error


def _sqlite(url: URL, wait_s: float) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": wait_s})

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # transactions begin where SQLAlchemy says, also before DDL
        _write_ahead(connection, wait_s)
        for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # a writer takes its place at once: one that has read first may find, without any wait, that it may not write any more
        connection.exec_driver_sql(connection.get_execution_options().get("loupe_begin", "BEGIN"))

    return engine


def _write_ahead(connection: sqlite3.Connection, wait_s: float) -> None:
    """Where several open a new file at once, SQLite refuses to change its journal's mode without the wait that it grants elsewhere."""
    until = time.monotonic() + wait_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_AGAIN_S)
        else:
            return


def _postgresql(url: URL, wait_s: float) -> Engine:
    usual = {"connect_timeout": _CONNECT_S, "tcp_user_timeout": _GONE_MS}
    arguments = {option: value for option, value in usual.items() if option not in url.query}
    try:
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=arguments)
    except ModuleNotFoundError as error:
        raise MissingExtraError("postgres", error.name or "psycopg") from error

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.execute(f"SET lock_timeout = {round(1e3 * wait_s)}")
        connection.commit()  # or it is undone with the first transaction

    return engine


def _migrate(engine: Engine, name: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    newest = set(ScriptDirectory.from_config(config).get_heads())
    with engine.connect() as connection, connection.begin():
        if set(MigrationContext.configure(connection).get_current_heads()) == newest:
            return
    with _ALEMBIC, _writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = '{_MIGRATION_WAIT}'"))
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StorageError(f"{name}: expected a schema that this Loupe knows: {error}") from error
