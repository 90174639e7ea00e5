"""`loupe audit-log`: who changed something on a server, or took something out."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from server.commands.moments import moment
from server.commands.token import DEFAULT_DATABASE, DatabaseOption
from server.storage.audit import AuditLog
from server.storage.database import open_database
from vision.commands.output import JsonFlag, Output


def audit_log(
    since: Annotated[str | None, typer.Option(help="Only from this date or time on, in ISO 8601.")] = None,
    database: DatabaseOption = DEFAULT_DATABASE,
    json: JsonFlag = False,
) -> None:
    """Show who made or revoked tokens, changed models, fetched bundles, said what a part was, or exported that.

    Example: `loupe audit-log --since 2026-11-01`
    """
    start = moment("--since", since) if since is not None else None
    kept = open_database(database, create=False)
    try:
        entries = AuditLog(kept).entries(start)
    finally:
        kept.close()
    table = Table("at", "by", "action", "detail")
    for one in entries:
        table.add_row(
            one.at.isoformat(timespec="seconds"), escape(one.by), escape(one.action), escape(one.detail)
        )
    facts = [
        {"at": one.at.isoformat(), "by": one.by, "action": one.action, "detail": one.detail}
        for one in entries
    ]
    Output(json).result({"entries": facts}, table)
