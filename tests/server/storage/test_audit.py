"""Who changed what is written down with the change, and stays."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.auth import Role, issue
from server.storage.audit import AuditLog
from server.storage.database import Database, open_database
from server.storage.tokens import DatabaseTokens
from vision.errors import StorageError

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_entries_come_back_in_the_order_they_were_written(database: Database) -> None:
    log = AuditLog(database)
    for number in range(3):
        log.note("kim", "LoadModel", f"name: {number}")

    entries = log.entries()

    assert [one.detail for one in entries] == ["name: 0", "name: 1", "name: 2"]
    assert {(one.by, one.action, one.at.tzinfo) for one in entries} == {("kim", "LoadModel", UTC)}


def test_only_what_was_written_since_a_time_is_asked_for(database: Database) -> None:
    log = AuditLog(database)
    log.note("kim", "LoadModel", "")

    assert log.entries(datetime.now(UTC) + timedelta(hours=1)) == []
    assert len(log.entries(datetime.now(UTC) - timedelta(hours=1))) == 1


def test_a_token_that_is_made_or_revoked_is_noted_without_its_secret(database: Database) -> None:
    issued = issue("ada", frozenset({Role.REVIEW, Role.ADMIN}), now=NOW)
    tokens = DatabaseTokens(database, by="local:root")
    tokens.add(issued.record)
    tokens.revoke(issued.record.id, NOW)
    tokens.revoke(issued.record.id, NOW)  # changes nothing more
    tokens.revoke("0" * 16, NOW)  # nobody's

    entries = AuditLog(database).entries()

    assert [(one.by, one.action, one.detail) for one in entries] == [
        ("local:root", "token create", f"token {issued.record.id} of ada: admin, review"),
        ("local:root", "token revoke", f"token {issued.record.id}"),
    ]


def test_a_token_that_was_not_added_is_not_noted(database: Database) -> None:
    tokens, record = DatabaseTokens(database), issue("ada", frozenset({Role.REVIEW}), now=NOW).record
    tokens.add(record)
    with pytest.raises(StorageError):
        tokens.add(record)

    assert len(AuditLog(database).entries()) == 1


def test_a_long_detail_is_cut(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/results.db")
    AuditLog(database).note("kim", "SubmitDisposition", "x" * 5000)

    assert AuditLog(database).entries()[0].detail == "x" * 1000
    database.close()
