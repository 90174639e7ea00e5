"""A line's models, and the thread that watches over their slots: it loads what is installed, and ends trials."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Final

from typing_extensions import override

from edge.judging import BundleJudges
from edge.line import Line, StationTable
from edge.parts import Finished
from edge.slots.keeper import Keeper, OpenModel
from edge.slots.seats import named
from edge.slots.store import SlotStore
from edge.slots.trial import Terms
from edge.soon import soon
from vision.settings import Settings

_EVERY_S: Final = 1.0  # until an install is noticed


class Models:
    """Every model of a line, loaded before it starts: changing over and rolling back wait for nothing.

    Args:
        alarm: told a station's name and what a person must look at; called on the station's event loop while that runs.

    Raises:
        BundleError: a configured bundle cannot be used here, and no slot's stands in for it.
    """

    def __init__(self, line: Line, open_model: OpenModel, *, alarm: Callable[[str, str], None]) -> None:
        self._judges = {one.name: BundleJudges({}) for one in line.station}
        self._listeners: dict[str, TrialListener] = {}
        self._told = alarm
        terms = Terms(
            parts=line.trial.parts,
            minutes=line.trial.minutes,
            more_faults=line.trial.more_faults,
            latency_ratio=line.trial.latency_ratio,
        )
        self._keepers = [
            Keeper(
                SlotStore(line.data, name),
                model,
                open_model,
                judges=self._judges,
                terms=terms,
                starts=line.trial.starts,
                alarm=self._alarm,
            )
            for name, model in named(line).items()
        ]
        self._watch = _Watch(self._keepers, alarm=lambda what: self._alarm(line.station[0].name, what))

    def judges(self, table: StationTable, settings: Settings) -> BundleJudges:  # noqa: ARG002  (as `run_line` asks)
        """Of a station; what they choose changes when a bundle is installed."""
        return self._judges[table.name]

    def start(self) -> None:
        """Watch, once the line runs."""
        self._watch.start()

    def stop(self) -> None:
        """The line has ended in good order."""
        self._watch.end()
        for keeper in self._keepers:
            keeper.end()

    def listener(self, table: StationTable) -> "TrialListener":
        """Hears what becomes of a station's parts."""
        listener = self._listeners[table.name] = TrialListener(self._keepers, self._watch.wake)
        return listener

    def _alarm(self, station: str, what: str) -> None:
        """Whoever is told by a station is told in its thread, and need not expect another."""
        listener = self._listeners.get(station)
        if listener is None or not listener.soon(partial(self._told, station, what)):
            self._told(station, what)


class TrialListener:
    """Tells the keepers of a station's parts, on its event loop."""

    def __init__(self, keepers: list[Keeper], wake: Callable[[], None]) -> None:
        self._keepers, self._wake = keepers, wake
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    def hear(self, finished: Finished) -> None:
        if any(keeper.hear(finished) for keeper in self._keepers):
            self._wake()

    async def stop(self) -> None:
        self._loop = None

    def soon(self, call: Callable[[], None]) -> bool:
        """Have something called on the station's event loop; false where that does not run."""
        loop = self._loop
        return loop is not None and soon(loop, call)


class _Watch(threading.Thread):
    """Looks each second, and when a part of a trial has ended.

    It is not given a lower priority: the model's own threads, which are made here with it, would keep that for ever.
    """

    def __init__(self, keepers: list[Keeper], *, alarm: Callable[[str], None]) -> None:
        super().__init__(name="slots", daemon=True)
        self._keepers, self._alarm = keepers, alarm
        self._woken, self._ending = threading.Event(), threading.Event()

    @override
    def run(self) -> None:
        while not self._ending.is_set():
            self._woken.wait(_EVERY_S)
            self._woken.clear()
            for keeper in self._keepers:
                try:
                    keeper.look()
                except Exception as error:  # noqa: BLE001  (the line goes on with what it has; the next look may do better)
                    self._alarm(f"slots: {type(error).__name__}: {error}")

    def wake(self) -> None:
        self._woken.set()

    def end(self) -> None:
        if self.is_alive():
            self._ending.set()
            self._woken.set()
            self.join()
