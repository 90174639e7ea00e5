"""`loupe token`: a token is shown once, let in, and out again."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import typer

from server.auth import Role, authenticate
from server.commands.token import create, expiry, list_tokens, revoke
from server.config import Storage
from server.storage.database import open_database
from server.storage.tokens import DatabaseTokens
from vision.commands.main import report
from vision.errors import AuthenticationError, LoupeError, SettingsError

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out.count("\n") == 1
        return json.loads(self.out)


Token = Callable[..., Said]


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Token:
    """`token("create", "--user", "ada")` as `loupe token create --user ada`, with a database of the test's own."""
    monkeypatch.setenv("COLUMNS", "30")  # narrower than a token
    monkeypatch.chdir(tmp_path)
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("create")(create)
    app.command("revoke")(revoke)
    app.command("list")(list_tokens)

    def run(*arguments: str) -> Said:
        code = 0
        try:
            app(args=list(arguments))
        except LoupeError as error:
            report(error, as_json="--json" in arguments)
            code = error.exit_code
        except SystemExit as ended:
            code = int(ended.code or 0)
        sys.stdout.flush()
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return run


def let_in(credential: str, now: datetime | None = None) -> frozenset[Role]:
    database = open_database(Storage().database, create=False)
    try:
        return authenticate(DatabaseTokens(database), credential, now or datetime.now(UTC)).roles
    finally:
        database.close()


def test_a_token_is_made_where_the_server_looks_for_it_by_default(token: Token) -> None:
    said = token("create", "--user", "ada", "--role", "review", "--role", "inspect", "--json")
    assert said.code == 0
    assert let_in(said.json["token"]) == {Role.REVIEW, Role.INSPECT}
    assert said.json["id"] == said.json["token"].split("_")[1]
    assert (said.json["user"], said.json["roles"], said.json["state"]) == (
        "ada",
        ["inspect", "review"],
        "in force",
    )
    assert said.json["expires_at"] is None
    assert "this token never expires" in " ".join(said.err.split())


def test_people_are_shown_the_token_in_one_piece_and_once(token: Token) -> None:
    said = token("create", "--user", "ada", "--role", "review", "--expires", "90d")
    shown = said.out.removesuffix("\n")  # nothing else, so that it can be sent into a file
    assert let_in(shown) == {Role.REVIEW}
    assert "shown this once" in " ".join(said.err.split())
    secret = shown[-43:]
    for again in (token("list"), token("list", "--json"), token("revoke", shown.split("_")[1], "--json")):
        assert again.code == 0
        assert secret not in again.out + again.err


def test_a_token_expires_when_it_was_said_to(token: Token) -> None:
    made = token("create", "--user", "ada", "--role", "review", "--expires", "12h", "--json").json
    assert let_in(made["token"], datetime.now(UTC) + timedelta(hours=11))
    with pytest.raises(AuthenticationError, match="expired"):
        let_in(made["token"], datetime.now(UTC) + timedelta(hours=13))


@pytest.mark.parametrize("named_by", ["id", "token"])
def test_a_revoked_token_is_let_in_no_more(named_by: str, token: Token) -> None:
    made = token("create", "--user", "ada", "--role", "review", "--json").json
    said = token("revoke", made[named_by], "--json")
    assert (said.code, said.json["state"], said.json["id"]) == (0, "revoked", made["id"])
    with pytest.raises(AuthenticationError, match="revoked"):
        let_in(made["token"])
    assert token("revoke", made["id"], "--json").json["revoked_at"] == said.json["revoked_at"]


def test_people_are_told_when_running_servers_notice(token: Token) -> None:
    made = token("create", "--user", "[/ada]", "--role", "review", "--json").json
    said = token("revoke", made["id"])
    assert " ".join(said.out.split()).endswith("of [/ada] is revoked; running servers notice within 5 s")


def test_a_token_that_is_not_there_cannot_be_revoked_and_its_secret_is_not_told(token: Token) -> None:
    token("create", "--user", "ada", "--role", "review")
    secret = 43 * "A"
    said = token("revoke", f"loupe_0123456789abcdef_{secret}", "--json")
    assert said.code == 2
    assert said.json["error"]["type"] == "NotFoundError"
    assert secret not in said.out + said.err


def test_all_tokens_are_listed_with_their_state(token: Token) -> None:
    made = [
        token("create", "--user", user, "--role", "station", "--json").json for user in ("box-1", "box-2")
    ]
    token("revoke", made[0]["id"])
    said = token("list", "--json")
    assert [(one["user"], one["state"]) for one in said.json["tokens"]] == [
        ("box-1", "revoked"),
        ("box-2", "in force"),
    ]
    assert all("sha256" not in one for one in said.json["tokens"])


def test_people_see_a_table(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    token("create", "--user", "[red]ada", "--role", "review", "--expires", "2999-01-01")
    said = token("list")
    assert "[red]ada" in said.out
    assert "2999-01-01T00:00:00+00:00" in said.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--user", "ada", "--role", "pilot"), "pilot"),
        (("--user", "ada"), "--role"),
        (("--role", "review"), "--user"),
        (("--user", " ", "--role", "review"), "user: expected 1 to 128 printable characters"),
        (("--user", "anonymous", "--role", "review"), "stands for callers without a token"),
        (("--user", "ada", "--role", "review", "--expires", "soon"), "--expires: expected a span"),
        (("--user", "ada", "--role", "review", "--expires", "2001-01-01"), "expires: expected a time after"),
        (("--user", "ada", "--role", "review", "--expires", "0d"), "expires: expected a time after"),
        (("--user", "ada", "--role", "review", "--database", "mysql://ada:hunter2@db"), "mysql://ada:***@db"),
    ],
)
def test_what_is_wrong_ends_with_2_and_makes_no_token(
    arguments: tuple[str, ...], message: str, token: Token, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    said = token("create", *arguments)
    assert said.code == 2
    assert message in said.err
    assert "hunter2" not in said.err
    assert not (tmp_path / "loupe-data").exists()


@pytest.mark.parametrize("arguments", [("list",), ("revoke", "0123456789abcdef")])
def test_looking_makes_no_database(arguments: tuple[str, ...], token: Token, tmp_path: Path) -> None:
    said = token(*arguments, "--json")
    assert said.code == 1
    assert said.json["error"]["type"] == "StorageError"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("12h", NOW + timedelta(hours=12)),
        ("90d", NOW + timedelta(days=90)),
        ("8w", NOW + timedelta(weeks=8)),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T10:00", datetime(2027, 1, 31, 10, tzinfo=UTC)),
        ("2027-01-31T10:00:00+02:00", datetime(2027, 1, 31, 8, tzinfo=UTC)),
        ("2027-01-31T10:00:00Z", datetime(2027, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_an_expiry_is_a_span_or_a_time(text: str, moment: datetime) -> None:
    assert expiry(text, NOW) == moment


@pytest.mark.parametrize("text", ["90", "d", "-1d", "1.5d", "90 days", "31.1.2027", "999999d", ""])
def test_anything_else_is_no_expiry(text: str) -> None:
    with pytest.raises(SettingsError, match="--expires: expected a span"):
        expiry(text, NOW)
