"""`loupe edge install`: another bundle for a line, on trial."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from edge.commands.options import ConfigOption
from edge.line import read_line
from edge.slots.install import install as put
from vision.commands.output import JsonFlag, Output
from vision.settings import read_settings


def install(
    bundle: Annotated[
        Path, typer.Argument(help="Signed by a key of LOUPE_TRUSTED_KEYS.", show_default=False)
    ],
    config: ConfigOption,
    older: Annotated[
        bool, typer.Option("--older", help="Allow a version below the one that runs.", show_default=False)
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Verify a bundle, test it in a process of its own, and have the line judge by it, on trial.

    It takes the place of the bundle of the same name. A line that runs swaps between two parts; over the next parts ([trial] in
    line.toml) timeouts, faults and the model's time are compared with the old one's, and the old one runs again if they are worse.
    Exit 2 when the bundle is refused; whatever goes wrong, the line keeps what it has.

    Example: `loupe edge install cells-1.1.loupe --config line.toml`
    """
    output = Output(json)
    name, held = put(bundle, read_line(config), read_settings(), older=older)
    output.result(
        {"name": name, "version": held.version, "digest": held.digest, "slot": held.slot, "trial": True},
        escape(f"{name} {held.version} is in slot {held.slot}, on trial; see `loupe edge status`"),
    )
