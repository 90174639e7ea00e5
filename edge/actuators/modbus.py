"""A reject gate on a PLC's coils or a register of it, and a heartbeat register by which the PLC knows that somebody is there."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from edge.actuators.pulses import Output, Pulses
from edge.modbus import ModbusLink
from vision.errors import DeviceError
from vision.inspection.policy import Decision


@dataclass(frozen=True, slots=True)
class Coil:
    """On while it is pulsed."""

    link: ModbusLink
    place: int

    async def on(self) -> None:
        await self.link.write_coil(self.place, on=True)

    async def off(self) -> None:
        await self.link.write_coil(self.place, on=False)


@dataclass(frozen=True, slots=True)
class Value:
    """A register's value while it is pulsed; `rest` otherwise."""

    link: ModbusLink
    place: int
    value: int
    rest: int = 0

    async def on(self) -> None:
        await self.link.write_register(self.place, self.value)

    async def off(self) -> None:
        await self.link.write_register(self.place, self.rest)


class ModbusActuator:
    """A pulse on the decision's output; a decision without one is the gate at rest.

    Args:
        outputs: by decision, on the same link.
        pulse_s: how long an output stays on.
        heartbeat: a register that goes up by one a beat; a PLC that sees it stand still takes the safe state by itself.
    """

    def __init__(
        self, link: ModbusLink, outputs: Mapping[Decision, Output], *, pulse_s: float, heartbeat: int
    ) -> None:
        self._link, self._heartbeat = link, heartbeat
        self._pulses = Pulses(outputs, pulse_s=pulse_s)
        self._beats = 0

    async def open(self) -> None:
        """Connect, and put every output to rest.

        Raises:
            DeviceError: the PLC or an output is not there.
        """
        await self._link.open()
        await self._pulses.rest()

    async def drive(self, decision: Decision) -> None:
        """Raises DeviceError when the PLC did not take it, or did not take the end of an earlier pulse."""
        await self._pulses.drive(decision)

    async def beat(self, *, taking: bool = True) -> None:
        """Raises DeviceError when the PLC did not take it, or did not take the end of a pulse."""
        self._pulses.check()
        self._beats = (self._beats + taking) % 65536
        await self._link.write_register(self._heartbeat, self._beats)

    async def close(self) -> None:
        with contextlib.suppress(DeviceError):
            await self._pulses.rest()
        await self._link.close()
