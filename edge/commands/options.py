"""Options that the commands of a box share."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path, typer.Option("--config", help="The line's file, such as line.toml.", show_default=False)
]
