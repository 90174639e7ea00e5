"""Stations at work, each on an event loop in a thread of its own, and what reports for them all."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from edge.clockwork import exact_loop
from edge.ledger import Outcome
from edge.listeners import Listener, attended
from edge.soon import soon
from edge.station import Station
from vision.address import Address
from vision.errors import LoupeError

if TYPE_CHECKING:  # imported where a line asks for them: they cost memory, and time at the start
    from edge.slots.models import Models
    from edge.uplink import Uplink
    from edge.view.server import ViewServer

_GLANCE_S: Final = 0.2
_LAST_WORDS_S: Final = (
    3.0  # for the last parts to be reported; what is not waits in the ledger for the next start
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a station did: parts by outcome, and why it ended before it was told to; empty when it did not."""

    outcomes: Mapping[Outcome, int]
    error: str


class Running:
    """Stations at work, what reports for them, and the view of them where there is one."""

    def __init__(
        self,
        threads: Sequence["StationThread"],
        *,
        uplink: "Uplink | None",
        view: "ViewServer | None",
        models: "Models | None",
    ) -> None:
        self._threads, self._uplink, self._view, self._models = threads, uplink, view, models
        for thread in threads:
            thread.start()
        if uplink is not None:
            uplink.start()
        if models is not None:
            models.start()

    @property
    def view(self) -> Address | None:
        """Where the view listens."""
        return None if self._view is None else self._view.address

    def stop(self) -> None:
        """Have every station finish the parts on their way and end. May be called from a signal handler."""
        for thread in self._threads:
            thread.ask_to_stop()

    def wait(self) -> dict[str, Ran]:
        """What each station did, once all have ended."""
        for thread in self._threads:
            while thread.is_alive():
                thread.join(_GLANCE_S)  # in steps, so that signals are heard
        if self._models is not None:
            self._models.stop()
        if self._uplink is not None:
            self._uplink.stop(_LAST_WORDS_S)
        if self._view is not None:
            self._view.stop()
        return {thread.station.name: thread.ran() for thread in self._threads}


class StationThread(threading.Thread):
    """One station's event loop, with those who listen to it."""

    def __init__(self, station: Station, listeners: Sequence[Listener]) -> None:
        super().__init__(name=station.name)
        self.station, self._listeners = station, listeners
        self._error = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._asked = False

    @override
    def run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=exact_loop) as runner:
                runner.run(self._work())
        except LoupeError as error:
            self._error = str(error)
        except Exception as error:  # noqa: BLE001  (other stations go on; this one's end is told like any other)
            self._error = f"{type(error).__name__}: {error}"

    def ask_to_stop(self) -> None:
        self._asked = True
        if self._loop is not None and self._ending is not None:
            soon(self._loop, self._ending.set)

    def ended(self) -> str | None:
        """Why it ended, empty when it was told to; none while it has not."""
        return None if self.ident is None or self.is_alive() else self._error

    def ran(self) -> Ran:
        return Ran(outcomes=dict(self.station.counts), error=self._error)

    async def _work(self) -> None:
        self._ending, self._loop = asyncio.Event(), asyncio.get_running_loop()
        if self._asked:
            return
        async with attended(self._listeners):
            await self.station.run(self._ending)
