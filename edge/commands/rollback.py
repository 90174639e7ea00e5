"""`loupe edge rollback`: what ran before, again."""

from typing import Annotated

import typer
from rich.markup import escape

from edge.commands.options import ConfigOption
from edge.line import Line, read_line
from edge.slots.install import roll_back
from edge.slots.seats import named
from edge.slots.store import SlotStore
from vision.commands.output import JsonFlag, Output
from vision.errors import NotFoundError
from vision.settings import read_settings


def rollback(
    config: ConfigOption,
    name: Annotated[
        str | None, typer.Option(help="Of which model, where several were installed.", show_default=False)
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Take an installed bundle back, on trial or not: the previous one judges again, or the configured one where there is none.

    A line that runs swaps between two parts. Exit 2 when the configured one runs already.

    Example: `loupe edge rollback --config line.toml`
    """
    line = read_line(config)
    chosen = name if name is not None else _chosen(line)
    active = roll_back(chosen, line, read_settings()).active
    what = "the configured bundle" if active is None else f"{active.version} in slot {active.slot}"
    Output(json).result(
        {"name": chosen, "active": None if active is None else active.model_dump(mode="json")},
        escape(f"{chosen}: {what} is active again"),
    )


def _chosen(line: Line) -> str:
    """The one name with a bundle in a slot."""
    found = [name for name in named(line) if SlotStore(line.data, name).read().active is not None]
    if len(found) != 1:
        raise NotFoundError(
            f"--name: expected one model with an installed bundle, found {', '.join(found) or 'none'}"
        )
    return found[0]
