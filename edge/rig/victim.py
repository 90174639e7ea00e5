"""A line that says how far each part has come, to be killed at any moment.

With a stand-in no model is loaded: each picture takes some milliseconds, and verdicts take turns.
"""

import itertools
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
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


def _stand_in(table: StationTable, settings: Settings) -> StandIn:  # noqa: ARG001  (no bundle is opened)
    """Instead of a station's models."""
    return StandIn()


def run(config: Path, steps: Connection, *, stand_in: bool, dies_at: tuple[Step, int] | None = None) -> None:
    """Run a line until SIGTERM, and write `STATION PART STEP` for each step. In a process of its own.

    Args:
        dies_at: kill it with -9 when parts have reached a step so many times: steps that pass too fast for anybody outside.
    """
    times = Counter[Step]()

    def tell(station: str, part: int, step: Step) -> None:
        # at once: what stays in a buffer dies with its process
        os.write(steps.fileno(), f"{station} {part} {step}\n".encode())
        times[step] += 1
        if dies_at == (step, times[step]):
            os.kill(os.getpid(), signal.SIGKILL)

    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    running = run_line(
        read_line(config),
        read_settings(),
        alarm=lambda _station, _what: None,
        started=lambda _: None,
        on_step=tell,
        open_judges=_stand_in if stand_in else None,
    )
    signal.signal(signal.SIGTERM, lambda *_: running.stop())
    running.wait()
