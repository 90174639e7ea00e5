"""`loupe edge check`: would this line start?"""

import asyncio
from dataclasses import asdict

import typer
from rich.markup import escape
from rich.table import Table

from edge.checking import check as reach
from edge.commands.options import ConfigOption
from edge.line import read_line
from vision.commands.output import JsonFlag, Output
from vision.settings import read_settings


def check(config: ConfigOption, json: JsonFlag = False) -> None:
    """Read a line's file, load its models and reach every device, before the line starts.

    Outputs are put to rest; nothing else moves. Exit 1 when something is not reached, 2 when the file is wrong.

    Example: `loupe edge check --config line.toml`
    """
    output = Output(json)
    found = asyncio.run(reach(read_line(config), read_settings()))
    table = Table("station", "what", "", title_justify="left", title=escape(str(config)))
    for one in found:
        table.add_row(one.station, one.what, escape(one.error) or "reached")
    reached = not any(one.error for one in found)
    output.result({"reached": reached, "found": [asdict(one) for one in found]}, table)
    if not reached:
        raise typer.Exit(1)
