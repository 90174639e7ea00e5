"""`loupe audit-log` shows who changed what, from a moment on where one is named."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from server.commands.audit_log import audit_log
from server.storage import tables
from server.storage.database import open_database
from tests.server.commands.answers import answer_of
from vision.errors import SettingsError, StorageError

Show = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def database(tmp_path: Path) -> str:
    """Three entries, one a day."""
    url = f"sqlite:///{tmp_path / 'results.db'}"
    opened = open_database(url)
    with opened.writing() as connection:
        for day, who in enumerate(("ada", "grace", "[b]rita"), start=1):
            at = datetime(2026, 11, day, tzinfo=UTC)
            row = insert(tables.audit_log).values(
                at=at, principal=who, action="token.create", detail="x" * day
            )
            connection.execute(row)
    opened.close()
    return url


@pytest.fixture
def shown() -> Show:
    """Run the command in this process; its errors are raised, the entries as with `--json` are returned."""

    def run(*arguments: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = answer_of(audit_log, *arguments)["entries"]
        return entries

    return run


def test_everything_is_shown_the_oldest_first(database: str, shown: Show) -> None:
    entries = shown("--database", database)

    assert [entry["by"] for entry in entries] == ["ada", "grace", "[b]rita"]
    assert entries[0] == {
        "at": "2026-11-01T00:00:00+00:00",
        "by": "ada",
        "action": "token.create",
        "detail": "x",
    }


@pytest.mark.parametrize(
    ("since", "who"),
    [
        ("2026-11-02", ["grace", "[b]rita"]),
        ("2026-11-02T00:00:01+00:00", ["[b]rita"]),
        ("2026-12-01", []),
    ],
)
def test_from_a_moment_on_what_came_before_is_left_out(
    since: str, who: list[str], database: str, shown: Show
) -> None:
    assert [entry["by"] for entry in shown("--database", database, "--since", since)] == who


def test_a_moment_that_is_none_is_refused_by_its_options_name(database: str, shown: Show) -> None:
    with pytest.raises(SettingsError, match=r"--since.*yesterday"):
        shown("--database", database, "--since", "yesterday")


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, shown: Show) -> None:
    with pytest.raises(StorageError, match="found no file"):
        shown("--database", f"sqlite:///{tmp_path / 'none.db'}")

    assert not (tmp_path / "none.db").exists()
