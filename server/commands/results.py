"""`loupe results`: take judged parts out of a server's database."""

from collections.abc import Iterator
from datetime import datetime
from heapq import merge
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from server.commands.moments import moment
from server.storage.database import Database, open_database
from server.storage.export import Row, write_csv
from server.storage.results import count_between, rows_between
from server.storage.stations import StationResult, count_reported, reported_between
from vision.commands.output import JsonFlag, Output, bar
from vision.errors import SettingsError
from vision.files import atomic_path


def export(
    database: Annotated[
        str, typer.Option(help="sqlite:///FILE or postgresql://USER@HOST/NAME, as the server has it.")
    ],
    out: Annotated[Path, typer.Option(help="The CSV file to write; one that is there is replaced.")],
    since: Annotated[
        str | None,
        typer.Option(help="Only parts judged from this date or time on; UTC unless it says otherwise."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only parts judged before this date or time.")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Only parts that this model judged on the server; those that stations report are left out."
        ),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Write judged parts and those that stations reported to a CSV file, oldest first, each with what a person found it to be.

    Example: `loupe results export --database sqlite:///loupe-data/results.db --out november.csv --since 2026-11-01`
    """
    start = moment("--since", since) if since is not None else None
    end = moment("--until", until) if until is not None else None
    if start is not None and end is not None and start >= end:
        raise SettingsError(f"--until: expected a time after {start.isoformat()}, found {end.isoformat()}")
    kept = open_database(database, create=False)
    try:
        total = count_between(kept, start, end, model=model)
        total += count_reported(kept, start, end) if model is None else 0
        with (
            bar() as progress,
            atomic_path(out) as unfinished,
            unfinished.open("w", encoding="utf-8", newline="") as file,
        ):
            task = progress.add_task("exporting", total=total, note="")
            rows = _rows(kept, start, end, model=model)
            written = write_csv(progress.track(rows, task_id=task), file)
    finally:
        kept.close()
    facts = {"out": str(out), "results": written, "since": start, "until": end, "model": model}
    Output(json).result(facts, escape(f"{written} results in {out}"))


def _rows(
    database: Database, start: datetime | None, end: datetime | None, *, model: str | None
) -> Iterator[Row]:
    """Both kinds in one order of time; a model of the server's own judged none of what stations report."""
    judged: Iterator[Row] = rows_between(database, start, end, model=model)
    if model is not None:
        return judged
    return merge(judged, reported_between(database, start, end), key=_when)


def _when(row: Row) -> datetime:
    return row.triggered_at if isinstance(row, StationResult) else row[0].judged_at
