"""`loupe token`: make, revoke and list the tokens that callers of a server show."""

import getpass
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from server.auth import Role, TokenRecord, issue, token_id
from server.commands.moments import moment
from server.masking import mask_text
from server.storage.database import open_database
from server.storage.tokens import DatabaseTokens
from server.token_cache import MAX_AGE_S
from vision.commands.output import JsonFlag, Output
from vision.errors import NotFoundError

DatabaseOption = Annotated[
    str,
    typer.Option(
        help="As storage.database in loupe.toml. A password in it is seen by whoever lists this machine's processes: "
        "PostgreSQL reads ~/.pgpass as well."
    ),
]
DEFAULT_DATABASE: Final = "sqlite:///loupe-data/results.db"
_SPAN: Final = re.compile(r"(\d{1,5})([hdw])")
_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}


def create(
    user: Annotated[str, typer.Option(help="Whose it is: a person, or a station's id.")],
    role: Annotated[list[Role], typer.Option(help="What it opens; may be given several times.")],
    expires: Annotated[
        str | None,
        typer.Option(
            help="A span (12h, 90d, 8w), or a date or time in ISO 8601, UTC where it names no zone."
        ),
    ] = None,
    database: DatabaseOption = DEFAULT_DATABASE,
    json: JsonFlag = False,
) -> None:
    """Make a token for a user and print it, this once; only a digest of it is kept.

    Example: `loupe token create --user ada --role review --role inspect --expires 90d > ada.token`
    """
    output, now = Output(json), datetime.now(UTC)
    issued = issue(user, frozenset(role), now=now, expires_at=expiry(expires, now) if expires else None)
    with _tokens(database, new=True) as tokens:
        tokens.add(issued.record)
    if issued.record.expires_at is None:
        output.warn("this token never expires; see --expires")
    if json:
        output.result({**_facts(issued.record, now), "token": issued.token})
    else:
        output.say(f"token {issued.record.id} for {user}; it is shown this once:")
        sys.stdout.write(f"{issued.token}\n")  # past rich, which would break it at the terminal's width


def revoke(
    token: Annotated[
        str, typer.Argument(metavar="ID", help="The token's id, as listed; or the token.", show_default=False)
    ],
    database: DatabaseOption = DEFAULT_DATABASE,
    json: JsonFlag = False,
) -> None:
    """Refuse a token from now on; running servers notice within seconds.

    Example: `loupe token revoke 3f9c0a1be2d47586`
    """
    now = datetime.now(UTC)
    with _tokens(database) as tokens:
        record = tokens.revoke(token_id(token) or token, now)
    if record is None:
        raise NotFoundError(
            f"token '{mask_text(token)}': expected the id of a token, as `loupe token list` shows it"
        )
    Output(json).result(
        _facts(record, now),
        escape(
            f"token {record.id} of {record.user} is revoked; running servers notice within {MAX_AGE_S:g} s"
        ),
    )


def list_tokens(database: DatabaseOption = DEFAULT_DATABASE, json: JsonFlag = False) -> None:
    """List all tokens: whose they are, what they open, until when. The tokens themselves are not kept.

    Example: `loupe token list --database sqlite:///loupe-data/results.db`
    """
    now = datetime.now(UTC)
    with _tokens(database) as tokens:
        found = [_facts(record, now) for record in tokens.all()]
    table = Table("id", "user", "roles", "state", "created", "expires")
    for one in found:
        shown = (one["id"], one["user"], ", ".join(one["roles"]), one["state"])
        table.add_row(
            *map(escape, shown), *(str(one[name] or "never") for name in ("created_at", "expires_at"))
        )
    Output(json).result({"tokens": found}, table)


def expiry(text: str, now: datetime) -> datetime:
    """When a token ends: a span from `now`, or a time in ISO 8601; a date is its first moment.

    Raises:
        SettingsError: it is neither.
    """
    span = _SPAN.fullmatch(text)
    if span is not None:
        return now + timedelta(**{_UNITS[span[2]]: int(span[1])})
    return moment("--expires", text, expected="a span (12h, 90d, 8w) or an ISO 8601 time")


@contextmanager
def _tokens(url: str, *, new: bool = False) -> Iterator[DatabaseTokens]:
    database = open_database(url, create=new)
    try:
        yield DatabaseTokens(database, by=f"local:{getpass.getuser()}")
    finally:
        database.close()


def _facts(record: TokenRecord, now: datetime) -> dict[str, Any]:
    state = "in force"
    if record.revoked_at is not None:
        state = "revoked"
    elif record.expires_at is not None and record.expires_at <= now:
        state = "expired"
    times = {name: getattr(record, name) for name in ("created_at", "expires_at", "revoked_at")}
    return {
        "id": record.id,
        "user": record.user,
        "roles": sorted(record.roles),
        "state": state,
        **{name: moment.isoformat(timespec="seconds") if moment else None for name, moment in times.items()},
    }
