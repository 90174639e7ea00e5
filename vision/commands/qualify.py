"""`loupe qualify`: measure which file of a bundle this machine should run."""

from typing import Annotated

import typer
from rich.table import Table

from vision import qualify as qualifying
from vision.bundle import open_bundle
from vision.commands.options import BundleArgument, TrustedKeys, trust
from vision.commands.output import JsonFlag, Output, bar
from vision.settings import read_settings


def qualify(
    bundle: BundleArgument,
    runs: Annotated[int, typer.Option(min=3, help="Measured runs of each candidate.")] = 30,
    trusted_key: TrustedKeys = [],  # noqa: B006  (typer reads the default)
    json: JsonFlag = False,
) -> None:
    """Measure which precision and how many threads are fastest here, and remember it for this machine.

    Only files whose accuracy guard was passed are measured, int8 only on processors with VNNI-class instructions.

    Example: `loupe qualify cells-1.0.loupe`
    """
    keys, required = trust(trusted_key)
    opened = open_bundle(bundle, trusted=keys, require_signature=required)
    with bar() as progress:
        task = progress.add_task("measuring", total=runs, note="")
        found = qualifying.qualify(
            opened, settings=read_settings(), runs=runs, advance=lambda n: progress.advance(task, n)
        )
    table = Table("file", "threads", "median ms", "p99 ms", title=found.cpu, title_justify="left")
    for one in found.candidates:
        mark = " *" if one.choice == found.choice else ""
        table.add_row(
            one.choice.file + mark, str(one.choice.threads), f"{one.median_ms:.1f}", f"{one.p99_ms:.1f}"
        )
    refused = [f"{name}: not measured, {why}" for name, why in found.refused.items()]
    Output(json).result(found.model_dump(mode="json"), table, *refused)
