"""A reject gate on lines of a GPIO chip, and a heartbeat line by which a watchdog relay knows that somebody is there."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from edge.actuators.pulses import Pulses
from vision.errors import DeviceError
from vision.inspection.policy import Decision

Line = int | str  # an offset, or the name that the device tree gives it


class LineSink(Protocol):
    """Lines that were taken, and are off; `edge.gpio.OutputLines`."""

    def set(self, line: Line, *, on: bool) -> None:
        """Raises DeviceError when the chip is gone."""
        ...

    def close(self) -> None: ...


class GpioActuator:
    """A pulse on the decision's line; a decision without a line is the gate at rest.

    Args:
        take: takes the lines. Raises DeviceError where that is not possible.
        lines: by decision.
        pulse_s: how long a line stays on.
        heartbeat: a line that changes with each beat.
    """

    def __init__(
        self, take: Callable[[], LineSink], lines: Mapping[Decision, Line], *, pulse_s: float, heartbeat: Line
    ) -> None:
        self._take, self._heartbeat, self._high = take, heartbeat, False
        self._sink: LineSink | None = None
        self._pulses = Pulses(
            {decision: _Switch(self, line) for decision, line in lines.items()}, pulse_s=pulse_s
        )

    async def open(self) -> None:
        """Take the lines, all of them off.

        Raises:
            DeviceError: there is no such chip or line, or another program has it.
        """
        await self._let_go()
        self._sink = self._take()
        await self._pulses.rest()

    async def drive(self, decision: Decision) -> None:
        """Raises DeviceError when the chip is gone."""
        await self._pulses.drive(decision)

    async def beat(self, *, taking: bool = True) -> None:
        """Raises DeviceError when the chip is gone, or the end of a pulse was not taken."""
        self._pulses.check()
        self._high = self._high != taking
        self.set(self._heartbeat, on=self._high)

    async def close(self) -> None:
        await self._let_go()

    def set(self, line: Line, *, on: bool) -> None:
        """Raises DeviceError when the chip is gone."""
        if self._sink is None:
            raise DeviceError("GPIO: the lines were not taken")
        self._sink.set(line, on=on)

    async def _let_go(self) -> None:
        """Off first: a line that is let go may stay as it is."""
        if self._sink is not None:
            with contextlib.suppress(DeviceError):
                await self._pulses.rest()
            self._sink.close()
            self._sink = None


@dataclass(frozen=True, slots=True)
class _Switch:
    gate: GpioActuator
    place: Line

    async def on(self) -> None:
        self.gate.set(self.place, on=True)

    async def off(self) -> None:
        self.gate.set(self.place, on=False)
