"""`loupe edge run`: judge the parts of a line."""

import logging
import signal
from collections.abc import Callable, Sequence

import typer

from edge.alarms import Calm
from edge.app import run_line
from edge.commands.options import ConfigOption
from edge.ledger import Outcome
from edge.line import Line, read_line
from edge.running import Running
from vision.commands.output import JsonFlag, Output
from vision.heap import settle_heap
from vision.settings import read_settings


def run(config: ConfigOption, json: JsonFlag = False) -> None:
    """Judge every part that the triggers see, drive the gates, and account for each in the station's ledger.

    SIGTERM and Ctrl-C finish the parts on their way, put the outputs to rest, and end with 0. Exit 1 when a station ended by
    itself, such as on a disk that is full.

    Example: `loupe edge run --config line.toml`
    """
    attend(read_line(config), Output(json))


def attend(line: Line, output: Output, *, start: Callable[..., Running] = run_line) -> None:
    """Run a line until it ends or is told to, and say what it did.

    Args:
        start: `run_line`, or the same with more arguments.
    """
    # what pymodbus would say, alarms say with the device's name; one browser too many is told so itself
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)

    def started(names: Sequence[str]) -> None:
        settle_heap()
        output.say(f"running {', '.join(names)}; ledgers in {line.data}")

    running = start(line, read_settings(), alarm=alarm_of(output), started=started)
    if running.view is not None:
        output.say(f"view on http://{running.view}/")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: running.stop())
    ran = running.wait()
    output.result(
        {
            "stations": {
                name: {
                    "outcomes": {outcome: one.outcomes.get(outcome, 0) for outcome in Outcome},
                    "error": one.error,
                }
                for name, one in ran.items()
            }
        },
        *[
            f"{name}: " + ", ".join(f"{one.outcomes.get(outcome, 0)} {outcome}" for outcome in Outcome)
            for name, one in ran.items()
        ],
    )
    for name, one in ran.items():
        if one.error:
            output.warn(f"{name}: {one.error}")
    if any(one.error for one in ran.values()):
        raise typer.Exit(1)


def alarm_of(output: Output) -> Calm:
    """Alarms of stations, as a command says them."""
    return Calm(lambda station, what: output.warn(f"{station}: {what}"))
