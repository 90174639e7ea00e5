"""How commands speak: results on stdout, for people or as one JSON object; everything else on stderr."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

JsonFlag = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout; everything else goes to stderr.")
]


def stderr_console() -> Console:
    """Where people are told things; stdout belongs to results."""
    return Console(file=sys.stderr)


def bar(*, counted: bool = True) -> Progress:
    """A progress bar on stderr with the time left, gone when done; silent where stderr is no terminal."""
    console = stderr_console()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn() if counted else TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@dataclass(frozen=True, slots=True)
class Output:
    """One command's output."""

    as_json: bool

    def say(self, text: str) -> None:
        """Tell a person who waits what is being done."""
        stderr_console().print(text, style="dim", highlight=False, markup=False)

    def warn(self, text: str) -> None:
        """Tell a person what they should know before they rely on the result."""
        stderr_console().print(f"warning: {text}", style="yellow", highlight=False, markup=False)

    def result(self, value: Mapping[str, Any], *shown: RenderableType) -> None:
        """The result: `value` as JSON where asked for, else `shown`, in which square brackets are rich's markup."""
        if self.as_json:
            sys.stdout.write(json.dumps(value, default=str) + "\n")
            sys.stdout.flush()  # a server goes on running after it
            return
        console = Console()
        for one in shown:
            console.print(one, highlight=False)
