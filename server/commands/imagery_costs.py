"""`loupe imagery costs`: what images took, lost and failed turns included."""

from typing import Annotated

import typer
from rich.markup import escape

from server.commands.token import DEFAULT_DATABASE, DatabaseOption
from server.storage.database import open_database
from server.storage.imagery_books import ImageryBooks
from server.storage.imagery_jobs import ImageryJobs
from vision.commands.output import JsonFlag, Output


def costs(
    job: Annotated[str, typer.Option(help="Of this order alone.", show_default=False)] = "",
    database: DatabaseOption = DEFAULT_DATABASE,
    json: JsonFlag = False,
) -> None:
    """Device-seconds of all images: per candidate, and per image that was approved.

    Example: `loupe imagery costs --database sqlite:///loupe-data/results.db`
    """
    opened = open_database(database, create=False)
    try:
        if job:
            ImageryJobs(opened).find(job)
        found = ImageryBooks(opened).costs(job or None)
    finally:
        opened.close()
    each, approved = found.per_candidate_s, found.per_approved_s
    Output(json).result(
        {
            "seconds": found.seconds,
            "candidates": found.candidates,
            "approved": found.approved,
            "seconds_per_candidate": each,
            "seconds_per_approved": approved,
        },
        escape(
            f"{found.seconds:.1f} device-seconds for {found.candidates} candidates ({_or_none(each)} each), of which "
            f"{found.approved} are approved ({_or_none(approved)} each)"
        ),
    )


def _or_none(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds:.1f} s"
