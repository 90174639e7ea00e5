"""`loupe edge record`: judge the parts of a line, and keep all it takes to judge them again."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from edge.app import run_line
from edge.commands.options import ConfigOption
from edge.commands.run import alarm_of, attend
from edge.line import read_line
from edge.shift.recording import Recording
from edge.slots.in_use import in_use
from vision.commands.output import JsonFlag, Output
from vision.settings import read_settings


def record(
    config: ConfigOption,
    out: Annotated[
        Path, typer.Option("--out", help="A folder that is made for the recording.", show_default=False)
    ],
    station: Annotated[
        str | None, typer.Option(help="Record this station alone; all are run.", show_default=False)
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Run a line as `loupe edge run` does, and record every picture that is judged, with its verdict, for `loupe edge replay`.

    No part waits for the recording: what the disk does not take in time is marked in it as a gap. Exit codes as for `run`;
    2 when there is something in the folder already.

    Example: `loupe edge record --config line.toml --out monday`
    """
    output = Output(json)
    alarm = alarm_of(output)
    line = in_use(read_line(config), read_settings(), trials=False, alarm=alarm)
    recording = Recording(out, line, only=station, alarm=alarm)
    attend(
        line,
        output,
        start=partial(run_line, open_judges=recording.judges, listeners=recording.listeners),
    )
