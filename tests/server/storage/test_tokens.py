"""Tokens in a database are the same store as tokens in memory, for all who share it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import insert, select

from server.auth import MemoryTokens, Role, TokenStore, authenticate, issue
from server.storage.database import Database, open_database
from server.storage.tables import tokens
from server.storage.tokens import DatabaseTokens
from vision.errors import AuthenticationError, StorageError

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROLES: Final = frozenset({Role.REVIEW, Role.INSPECT})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path}/results.db")
    yield opened
    opened.close()


@pytest.fixture(params=["memory", "database"])
def store(request: pytest.FixtureRequest, database: Database) -> TokenStore:
    return MemoryTokens() if request.param == "memory" else DatabaseTokens(database)


def test_what_was_added_is_found(store: TokenStore) -> None:
    record = issue("Zoë 张伟", ROLES, now=NOW, expires_at=NOW + timedelta(days=90)).record
    store.add(record)
    assert store.find(record.id) == record
    assert store.find("absent") is None


def test_a_token_is_let_in_until_it_is_revoked(store: TokenStore) -> None:
    issued = issue("ada", ROLES, now=NOW)
    store.add(issued.record)
    assert authenticate(store, issued.token, NOW).roles == ROLES
    store.revoke(issued.record.id, NOW)
    with pytest.raises(AuthenticationError, match="was revoked on 2026-03-01"):
        authenticate(store, issued.token, NOW)


def test_a_revocation_keeps_its_first_time(store: TokenStore) -> None:
    one, other = (issue("ada", ROLES, now=NOW).record for _ in range(2))
    store.add(one)
    store.add(other)
    first = store.revoke(one.id, NOW)
    assert first is not None
    assert first.revoked_at == NOW
    assert store.revoke(one.id, NOW + timedelta(days=1)) == first
    assert store.find(other.id) == other
    assert store.revoke("absent", NOW) is None


def test_all_tokens_are_told_the_oldest_first(store: TokenStore) -> None:
    records = [issue("ada", ROLES, now=NOW - timedelta(days=n)).record for n in range(3)]
    for record in records:
        store.add(record)
    assert list(store.all()) == records[::-1]


def test_times_keep_their_moment_whatever_their_zone(database: Database) -> None:
    store = DatabaseTokens(database)
    record = issue("ada", ROLES, now=NOW.astimezone(timezone(timedelta(hours=-7)))).record
    store.add(record)
    found = store.find(record.id)
    assert found is not None
    assert (found.created_at, found.created_at.tzinfo) == (NOW, UTC)


def test_no_secret_is_in_the_database(database: Database, tmp_path: Path) -> None:
    issued = issue("ada", ROLES, now=NOW)
    DatabaseTokens(database).add(issued.record)
    database.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert issued.record.sha256.encode() in kept
    assert issued.token[-43:].encode() not in kept


def test_another_server_on_the_same_database_sees_the_tokens(database: Database, tmp_path: Path) -> None:
    issued = issue("ada", ROLES, now=NOW)
    DatabaseTokens(database).add(issued.record)
    other = open_database(f"sqlite:///{tmp_path}/results.db", create=False)
    assert authenticate(DatabaseTokens(other), issued.token, NOW).user == "ada"
    other.close()


def test_a_token_is_not_added_twice(database: Database) -> None:
    store, record = DatabaseTokens(database), issue("ada", ROLES, now=NOW).record
    store.add(record)
    with pytest.raises(StorageError):
        store.add(record)
    with database.reading() as connection:
        assert len(connection.execute(select(tokens)).all()) == 1


def test_a_role_that_is_not_known_here_is_named_and_lets_nobody_in(database: Database) -> None:
    row = {"id": "0123456789abcdef", "user": "ada", "roles": ["inspect", "pilot"], "sha256": "0" * 64}
    with database.writing() as connection:
        connection.execute(insert(tokens).values(created_at=NOW, **row))
    with pytest.raises(StorageError, match=r"results\.db: token 0123456789abcdef: expected roles .*pilot"):
        DatabaseTokens(database).find("0123456789abcdef")
