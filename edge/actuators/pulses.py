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
    """A pulse on the decision's output; a decision without one leaves all as they are.

    Args:
        outputs: by decision.
        pulse_s: how long an output stays on.
    """

    def __init__(self, outputs: Mapping[Decision, Output], *, pulse_s: float) -> None:
        self._outputs, self._pulse_s = outputs, pulse_s
        self._releases: dict[Hashable, asyncio.Task[None]] = {}
        self._stuck = ""

    async def drive(self, decision: Decision) -> None:
        """Raises DeviceError when the device did not take it, or did not take the end of an earlier pulse."""
        self.check()
        output = self._outputs.get(decision)
        if output is None:
            return
        if (earlier := self._releases.pop(output.place, None)) is not None:
            earlier.cancel()  # one longer pulse for two parts that touch
        await output.on()
        self._releases[output.place] = asyncio.create_task(self._release(output))

    def check(self) -> None:
        """Raises DeviceError when the end of a pulse was not taken; `rest` mends it."""
        if self._stuck:
            raise DeviceError(self._stuck)

    async def rest(self) -> None:
        """End every pulse now.

        Raises:
            DeviceError: an output did not take it.
        """
        for release in self._releases.values():
            release.cancel()
        self._releases.clear()
        for output in {one.place: one for one in self._outputs.values()}.values():
            await output.off()
        self._stuck = ""

    async def _release(self, output: Output) -> None:
        await asyncio.sleep(self._pulse_s)
        try:
            await output.off()
        except DeviceError as error:
            self._stuck = str(error)
