"""`loupe edge pictures`: what is kept of which parts."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from edge.ledger import Outcome
from edge.pictures import FOLDER
from edge.shelf import listing
from vision.commands.output import JsonFlag, Output


def pictures(
    station: Annotated[
        Path, typer.Argument(help="A station's folder, such as loupe-data/infeed.", show_default=False)
    ],
    outcome: Annotated[
        Outcome | None, typer.Option(help="Only of parts that ended so.", show_default=False)
    ] = None,
    json: JsonFlag = False,
) -> None:
    """List the pictures that a station has kept, the oldest first: rejects, reviews, parts not judged, and a sample of accepts.

    It may be asked while the station runs.

    Example: `loupe edge pictures loupe-data/infeed --outcome reject`
    """
    folder = station / FOLDER
    found = [one for one in listing(folder) if outcome in {None, one.label.outcome}]
    table = Table(
        "part", "outcome", "reason", "kept at", "pictures", title_justify="left", title=escape(str(folder))
    )
    for one in found:
        label, at = one.label, one.at.isoformat(sep=" ", timespec="seconds")
        table.add_row(str(label.part), label.outcome, label.reason, at, f"{len(one.names)} of {one.cameras}")
    Output(json).result(
        {
            "folder": str(folder),
            "bytes": sum(one.bytes for one in found),
            "parts": [
                {
                    "part": one.label.part,
                    "boot": one.label.boot,
                    "outcome": one.label.outcome,
                    "reason": one.label.reason,
                    "at": one.at.isoformat(),
                    "bytes": one.bytes,
                    "cameras": one.cameras,
                    "files": list(one.names),
                }
                for one in found
            ],
        },
        table,
    )
