"""A line that says how far each part has come, to be killed at any moment.

    python -m edge.rig.victim --config line.toml [--stand-in]

prints `STATION PART STEP` for each step; with a stand-in no model is loaded: each picture takes some milliseconds, and verdicts take turns.
"""

import argparse
import itertools
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edge.app import run_line
from edge.line import StationTable, read_line
from edge.parts import Judge, Judged, Step
from edge.ports import Shot
from vision.inspection.policy import Decision, Reason, Verdict
from vision.settings import Settings, read_settings

_THINKING_S: Final = 0.005


@dataclass
class StandIn:
    """Verdicts in turns, of no model."""

    _turns: Iterator[Decision] = field(default_factory=lambda: itertools.cycle(Decision))

    def choose(self, recipe: int | None) -> Judge:  # noqa: ARG002  (of any product)
        return self._judge

    def _judge(self, shots: tuple[Shot, ...]) -> Judged:  # noqa: ARG002  (whatever they show)
        time.sleep(_THINKING_S)
        verdict = Verdict(decision=next(self._turns), reason=Reason.CONFIDENT, detail="a stand-in said so")
        return Judged(verdict=verdict, bundle="stand-in")


def stand_in(table: StationTable, settings: Settings) -> StandIn:  # noqa: ARG001  (no bundle is opened)
    """Instead of a station's models."""
    return StandIn()


def _tell(station: str, part: int, step: Step) -> None:
    os.write(
        1, f"{station} {part} {step}\n".encode()
    )  # at once: what stays in a buffer dies with its process


def _warn(station: str, what: str) -> None:
    sys.stderr.write(f"{station}: {what}\n")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--config", type=Path, required=True)
    options.add_argument("--stand-in", action="store_true", help="judge without a model")
    given = options.parse_args()
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    running = run_line(
        read_line(given.config),
        read_settings(),
        alarm=_warn,
        started=lambda _: None,
        on_step=_tell,
        open_judges=stand_in if given.stand_in else None,
    )
    signal.signal(signal.SIGTERM, lambda *_: running.stop())
    running.wait()


if __name__ == "__main__":
    main()
