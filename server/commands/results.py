"""`loupe results`: take judged parts out of a server's database."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from server.commands.moments import moment
from server.storage.database import open_database
from server.storage.export import write_csv
from server.storage.results import count_between, rows_between
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
    model: Annotated[str | None, typer.Option(help="Only parts that this model judged.")] = None,
    json: JsonFlag = False,
) -> None:
    """Write judged parts to a CSV file, oldest first, each with what a person found it to be.

    Example: `loupe results export --database sqlite:///loupe-data/results.db --out november.csv --since 2026-11-01`
    """
    start = moment("--since", since) if since is not None else None
    end = moment("--until", until) if until is not None else None
    if start is not None and end is not None and start >= end:
        raise SettingsError(f"--until: expected a time after {start.isoformat()}, found {end.isoformat()}")
    kept = open_database(database, create=False)
    try:
        total = count_between(kept, start, end, model=model)
        with (
            bar() as progress,
            atomic_path(out) as unfinished,
            unfinished.open("w", encoding="utf-8", newline="") as file,
        ):
            task = progress.add_task("exporting", total=total, note="")
            rows = rows_between(kept, start, end, model=model)
            written = write_csv(progress.track(rows, task_id=task), file)
    finally:
        kept.close()
    facts = {"out": str(out), "results": written, "since": start, "until": end, "model": model}
    Output(json).result(facts, escape(f"{written} results in {out}"))
