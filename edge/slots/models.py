"""A line's models, and the thread that watches over their slots: it loads what is installed, and ends trials."""

import threading
from collections.abc import Callable
from typing import Final

from typing_extensions import override

from edge.judging import BundleJudges
from edge.line import Line, StationTable
from edge.parts import Finished
from edge.slots.keeper import Keeper, OpenModel
from edge.slots.seats import named
from edge.slots.store import SlotStore
from edge.slots.trial import Terms
from vision.settings import Settings

_EVERY_S: Final = 1.0  # until an install is noticed


class Models:
    """Every model of a line, loaded before it starts: changing over and rolling back wait for nothing.

    Args:
        alarm: told a station's name and what a person must look at; called in the watching thread.

    Raises:
        BundleError: a configured bundle cannot be used here, and no slot's stands in for it.
    """

    def __init__(self, line: Line, open_model: OpenModel, *, alarm: Callable[[str, str], None]) -> None:
        self._judges = {one.name: BundleJudges({}) for one in line.station}
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
                alarm=alarm,
            )
            for name, model in named(line).items()
        ]
        self._watch = _Watch(self._keepers, alarm=lambda what: alarm(line.station[0].name, what))

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

    def listener(self) -> "TrialListener":
        """Hears what becomes of a station's parts."""
        return TrialListener(self._keepers, self._watch.wake)


class TrialListener:
    """Tells the keepers of a station's parts, on its event loop."""

    def __init__(self, keepers: list[Keeper], wake: Callable[[], None]) -> None:
        self._keepers, self._wake = keepers, wake

    async def start(self) -> None:
        """Nothing is to be made ready."""

    def hear(self, finished: Finished) -> None:
        if any(keeper.hear(finished) for keeper in self._keepers):
            self._wake()

    async def stop(self) -> None:
        """Nothing is held back."""


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
