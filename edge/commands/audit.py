"""`loupe edge audit`: does every trigger have an outcome?"""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from edge.ledger import Outcome
from edge.ledger import audit as count
from vision.commands.output import JsonFlag, Output


def audit(
    ledger: Annotated[
        Path, typer.Argument(help="A ledger, or the station's folder that holds it.", show_default=False)
    ],
    json: JsonFlag = False,
) -> None:
    """Count a station's ledger: triggers = accept + reject + review + timeout + fault, and no number left out.

    It may be counted while the station runs; parts that are on their way are open then. Exit 1 when it does not balance.

    Example: `loupe edge audit loupe-data/infeed`
    """
    found = count(ledger)
    table = Table("outcome", "parts", title_justify="left", title=escape(str(ledger)))
    for outcome in Outcome:
        table.add_row(outcome, str(found.outcomes[outcome]))
    table.add_row("open", str(found.open))
    table.add_row("without a row", str(found.missing))
    if found.pruned:
        table.add_row("rows deleted since", str(found.pruned))
        table.add_row("of these unreported", str(found.discarded))
    table.add_row("triggers", str(found.triggers), style="bold")
    Output(json).result(
        {
            "triggers": found.triggers,
            **{str(outcome): found.outcomes[outcome] for outcome in Outcome},
            "open": found.open,
            "missing": found.missing,
            "pruned": found.pruned,
            "discarded": found.discarded,
            "balanced": found.balanced,
        },
        table,
        "balanced" if found.balanced else "[bold red]not balanced[/bold red]",
    )
    if not found.balanced:
        raise typer.Exit(1)
