"""A line killed with -9 over and over, beside a conveyor that does not stop, and the account of its parts afterwards.

Each life of the line is ended a moment after some part reached a step; the PLC counts on while nobody is there. The line is known by its
file, its ledger, and what its PLC saw.
"""

import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import IO, Final

from edge.ledger import FILE, Audit, Outcome, audit
from edge.parts import Step
from edge.rig.plc import Plc
from edge.rig.victim import run
from vision.errors import DeviceError, StorageError

ON_THE_WAY: Final = tuple(step for step in Step if step != Step.ENDED)
_PATIENCE_S: Final = 30.0
_GLANCE_S: Final = 0.02
_VERDICTS: Final = (Outcome.ACCEPT, Outcome.REJECT, Outcome.REVIEW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The parts of a line after its last life, by its ledger and by its PLC.

    Attributes:
        counted: by the PLC.
        contradictions: where the gate's pulses and the rows do not fit each other.
    """

    audit: Audit
    counted: int
    contradictions: tuple[str, ...]

    @property
    def lost(self) -> int:
        """Parts without a row, or whose row has no outcome."""
        return self.counted - sum(self.audit.outcomes.values())


@contextmanager
def conveyor(gate: Plc, period_s: float) -> Iterator[None]:
    """Parts that pass whether or not somebody is there."""
    ending = threading.Event()

    def convey() -> None:
        while not ending.wait(period_s):
            gate.part()

    thread = threading.Thread(target=convey)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


class Life:
    """One run of `edge.rig.victim`, whose parts' steps are followed."""

    def __init__(self, config: Path, *, stand_in: bool, dies_at: tuple[Step, int] | None = None) -> None:
        context = get_context("forkserver")
        context.set_forkserver_preload(["edge.rig.victim"])  # so that a life begins within milliseconds
        hearing, telling = context.Pipe(duplex=False)
        self._process = context.Process(
            target=run, args=(config, telling), kwargs={"stand_in": stand_in, "dies_at": dies_at}
        )
        self._process.start()
        telling.close()
        self._reached: dict[int, Step] = {}
        self._times: Counter[Step] = Counter()
        self._heard, self._over = threading.Condition(), False
        steps = os.fdopen(os.dup(hearing.fileno()), "r")
        hearing.close()
        self._listener = threading.Thread(target=self._listen, args=(steps,))
        self._listener.start()

    def until(self, step: Step, times: int) -> None:
        """Wait until parts have reached a step so many times.

        Raises:
            DeviceError: the line ended by itself, or stands.
        """
        with self._heard:
            there = self._heard.wait_for(lambda: self._times[step] >= times or self._over, _PATIENCE_S)
            if not there or self._times[step] < times:
                raise DeviceError(f"the line: expected a part that is {step}, found none")

    def kill(self) -> list[Step]:
        """Kill it; the steps that the parts on their way had reached."""
        self._process.kill()
        self._end()
        return [step for step in self._reached.values() if step != Step.ENDED]

    def stop(self) -> None:
        """Let it finish the parts on their way."""
        self._process.terminate()
        self._end()

    def _listen(self, steps: IO[str]) -> None:
        with steps:
            for line in steps:
                _, part, step = line.split()
                with self._heard:
                    self._reached[int(part)] = Step(step)
                    self._times[Step(step)] += 1
                    self._heard.notify_all()
        with self._heard:
            self._over = True
            self._heard.notify_all()

    def _end(self) -> None:
        self._process.join(_PATIENCE_S)
        self._listener.join(_PATIENCE_S)


def kill_at(config: Path, step: Step, *, chance: Random, stand_in: bool) -> Counter[Step]:
    """Start the line and kill it when some part has reached a step, at once or a moment later; the steps at which parts were interrupted."""
    times, at_once = chance.randint(1, 6), chance.random() < 0.5
    life = Life(config, stand_in=stand_in, dies_at=(step, times) if at_once else None)
    try:
        life.until(step, times)
        time.sleep(chance.uniform(0, 0.004))
    finally:
        interrupted = life.kill()
    return Counter(interrupted)


def last_life(config: Path, folder: Path, gate: Plc, *, stand_in: bool) -> Account:
    """Run the line once more, let one part pass that shows it the gap, and count.

    Args:
        folder: the station's.
    """
    reads = gate.reads
    life = Life(config, stand_in=stand_in)
    _wait(lambda: gate.reads > reads + 3)  # it has seen the counter, and will see that it went up
    gate.part()
    _wait(lambda: _all_there(folder, len(gate.parts)))
    life.stop()
    return Account(
        audit=audit(folder),
        counted=len(gate.parts),
        contradictions=tuple(_contradictions(_rows(folder), Counter(name for _, name in gate.gate()))),
    )


def _wait(until: Callable[[], bool]) -> None:
    """Wait, though not for ever: what is not there then is counted as lost."""
    started = time.monotonic()
    while not until() and time.monotonic() < started + _PATIENCE_S:
        time.sleep(_GLANCE_S)


def _all_there(folder: Path, counted: int) -> bool:
    try:
        found = audit(folder)
    except StorageError:  # it is only being begun
        return False
    return found.triggers >= counted and found.open == 0


def _rows(folder: Path) -> Counter[tuple[str, str]]:
    """How many rows have an outcome and a reason."""
    with closing(sqlite3.connect(folder / FILE)) as connection:
        rows = connection.execute("SELECT outcome, reason, count(*) FROM part GROUP BY outcome, reason")
        return Counter({(outcome, reason): count for outcome, reason, count in rows})


def _contradictions(rows: Counter[tuple[str, str]], pulses: Counter[str]) -> Iterator[str]:
    """A verdict's outcome is kept after its pulse, so no row is without one; a pulse without such a row was cut short or failed safe."""
    unknown = sum(count for (_, reason), count in rows.items() if reason in {"output_unknown", "output"})
    failed_safe = sum(count for (outcome, _), count in rows.items() if outcome in {"timeout", "fault"})
    for verdict in _VERDICTS:
        kept = sum(count for (outcome, _), count in rows.items() if outcome == verdict)
        most = kept + (failed_safe if verdict == Outcome.REJECT else unknown)
        if not kept <= pulses[verdict] <= most:
            yield f"{kept} rows say {verdict}, at most {most} pulses belong to them, and the gate had {pulses[verdict]}"
