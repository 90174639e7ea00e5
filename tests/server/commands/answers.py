"""What one command answers, run in this process."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from vision.errors import LoupeError


def answer_of(command: Callable[..., None], *arguments: str | Path) -> Any:
    """The command's result as with `--json`; its errors are raised."""
    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    if isinstance(done.exception, LoupeError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)
