"""`loupe edge recipe`: which product runs now, or from the next part on."""

from typing import Annotated

import typer

from edge.commands.options import ConfigOption
from edge.line import Line, StationTable, read_line
from edge.recipes.operator import FILE, read_code, set_code
from edge.tables.recipes import OperatorTable
from vision.commands.output import JsonFlag, Output
from vision.errors import NotFoundError


def recipe(
    config: ConfigOption,
    code: Annotated[
        int | None, typer.Argument(help="The product's code; absent: say which one runs.", show_default=False)
    ] = None,
    station: Annotated[
        str | None, typer.Option(help="Of which station, where several are told by hand.", show_default=False)
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Say which product runs on a station whose changeover is told by hand (`source = { kind = "operator" }`).

    It holds from the next part on; parts on their way keep their model. Exit 2 for a code that no recipe has.

    Example: `loupe edge recipe 7 --config line.toml`
    """
    line = read_line(config)
    chosen = _chosen(line, station)
    folder = line.data / chosen.name
    if code is not None:
        known = chosen.bundles()
        if code not in known:
            raise NotFoundError(
                f"{chosen.name}: expected one of the codes {', '.join(str(one) for one in known)}, found {code}"
            )
        set_code(folder, code)
    current = read_code(folder / FILE)
    bundle = chosen.bundles().get(current)
    Output(json).result(
        {"station": chosen.name, "code": current, "bundle": str(bundle)},
        f"{chosen.name}: {current}, {bundle}",
    )


def _chosen(line: Line, name: str | None) -> StationTable:
    """The station that is told by hand."""
    told = [
        one
        for one in line.station
        if one.changeover is not None
        and isinstance(one.changeover.source, OperatorTable)
        and name in {None, one.name}
    ]
    if len(told) != 1:
        found = ", ".join(one.name for one in told) or "none"
        raise NotFoundError(f"--station: expected one station that is told by hand, found {found}")
    return told[0]
