"""`loupe data`: look at data before learning from it."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from training.audit import Audit, audit
from training.commands.options import Good, GroupColumn, Images, SplitColumn, Where, manifest_of
from vision.commands.output import JsonFlag, Output, bar

_STYLE = {"error": "red", "warning": "yellow", "info": "dim"}
_SHOWN = 40


def check(
    data: Annotated[
        Path,
        typer.Argument(help="A manifest CSV, or a folder with one sub-folder a class.", show_default=False),
    ],
    images: Images = None,
    good: Good = None,
    split_column: SplitColumn = "split",
    group_column: GroupColumn = "group",
    where: Where = [],  # noqa: B006  (typer reads the default)
    json: JsonFlag = False,
) -> None:
    """Check a data set: unreadable files, duplicates across splits or groups, conflicting labels, imbalance, bad pictures.

    Exit 1 when a picture, a near-duplicate or a group lies in two splits: figures on such splits are too good.

    Example: `loupe data check manifest.csv --images pictures`
    """
    manifest = manifest_of(data, images, split_column, group_column, where, strict=False)
    with bar() as progress:
        task = progress.add_task("looking at pictures", total=len(manifest.items), note="")
        found = audit(manifest, good=good, advance=lambda n: progress.advance(task, n))
    verdict = "[red]the splits leak[/red]" if found.leaks else "[green]no picture lies in two splits[/green]"
    Output(json).result(
        found.to_json(),
        _counts(found),
        *([_findings(found)] if found.findings else []),
        f"{found.readable} of {found.pictures} pictures readable; {verdict}",
    )
    if found.leaks:
        raise typer.Exit(1)


def _counts(found: Audit) -> Table:
    labels = sorted({label for counts in found.counts.values() for label in counts})
    table = Table("split", *map(escape, labels), title="Pictures", title_justify="left")
    for split, counts in found.counts.items():
        table.add_row(escape(split), *[str(counts.get(label, 0)) for label in labels])
    return table


def _findings(found: Audit) -> Table:
    table = Table("what", "message", title="Findings, the worst first", title_justify="left")
    paths = [path for finding in found.findings for path in finding.paths]
    folder = os.path.commonpath([Path(path).parent.absolute() for path in paths]) + "/" if paths else ""
    for finding in found.findings[:_SHOWN]:
        message = finding.message.replace(folder, "") if folder != "/" else finding.message
        table.add_row(Text(finding.kind, _STYLE[finding.severity]), Text(message))
    if len(found.findings) > _SHOWN:
        table.add_row("…", f"{len(found.findings) - _SHOWN} more; --json prints all")
    return table
