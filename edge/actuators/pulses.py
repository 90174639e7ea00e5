"""Decisions as pulses on outputs: one is on for a while, then at rest again. It knows no device."""

import asyncio
from collections.abc import Hashable, Mapping
from typing import Protocol

from vision.errors import DeviceError
from vision.inspection.policy import Decision


class Output(Protocol):
    """What a decision moves. Those with the same `place` cannot be on at once."""

    @property
    def place(self) -> Hashable: ...
    async def on(self) -> None:
        """Raises DeviceError when the device does not take it."""
        ...

    async def off(self) -> None:
        """Raises DeviceError when the device does not take it."""
        ...


class Pulses:
    """A pulse on the decision's output; one for an earlier part ends then at the latest, so that no part passes on another's.

    Args:
        outputs: by decision.
        pulse_s: how long an output stays on.
    """

    def __init__(self, outputs: Mapping[Decision, Output], *, pulse_s: float) -> None:
        self._outputs, self._pulse_s = outputs, pulse_s
        self._releases: dict[Hashable, tuple[Output, asyncio.Task[None]]] = {}
        self._stuck = ""

    async def drive(self, decision: Decision) -> None:
        """Raises DeviceError when the device did not take it, or did not take the end of an earlier pulse."""
        self.check()
        output = self._outputs.get(decision)
        earlier, self._releases = self._releases, {}
        for place, (pulsed, release) in earlier.items():
            if release.cancel() and (output is None or place != output.place):
                await self._off(pulsed)  # else one longer pulse for two parts that touch
        self.check()
        if output is not None:
            await output.on()
            self._releases[output.place] = output, asyncio.create_task(self._release(output))

    def check(self) -> None:
        """Raises DeviceError when the end of a pulse was not taken; `rest` mends it."""
        if self._stuck:
            raise DeviceError(self._stuck)

    async def rest(self) -> None:
        """End every pulse now.

        Raises:
            DeviceError: an output did not take it.
        """
        for _, release in self._releases.values():
            release.cancel()
        self._releases.clear()
        for output in {one.place: one for one in self._outputs.values()}.values():
            await output.off()
        self._stuck = ""

    async def _release(self, output: Output) -> None:
        await asyncio.sleep(self._pulse_s)
        await self._off(output)

    async def _off(self, output: Output) -> None:
        try:
            await output.off()
        except DeviceError as error:
            self._stuck = str(error)
