"""A reject gate on a PLC's coils, and a heartbeat register by which the PLC knows that somebody is there."""

import asyncio
import contextlib
from collections.abc import Mapping

from edge.modbus import ModbusLink
from vision.errors import DeviceError
from vision.inspection.policy import Decision


class CoilActuator:
    """A pulse on the decision's coil; a decision without a coil is the gate at rest.

    Args:
        coils: by decision.
        pulse_s: how long a coil stays on.
        heartbeat: a register that goes up by one a beat; a PLC that sees it stand still takes the safe state by itself.
    """

    def __init__(
        self, link: ModbusLink, coils: Mapping[Decision, int], *, pulse_s: float, heartbeat: int | None
    ) -> None:
        self._link, self._coils, self._pulse_s, self._heartbeat = link, coils, pulse_s, heartbeat
        self._beats = 0
        self._releases: dict[int, asyncio.Task[None]] = {}
        self._stuck: DeviceError | None = None

    async def open(self) -> None:
        """Connect, and put every coil to rest.

        Raises:
            DeviceError: the PLC or a coil is not there.
        """
        await self._link.open()
        await self._rest()
        self._stuck = None

    async def drive(self, decision: Decision) -> None:
        """Raises DeviceError when the PLC did not take it, or did not take the end of an earlier pulse."""
        coil = self._coils.get(decision)
        if self._stuck is not None:
            raise self._stuck
        if coil is None:
            return
        if (earlier := self._releases.pop(coil, None)) is not None:
            earlier.cancel()  # one longer pulse for two parts that touch
        await self._link.write_coil(coil, on=True)
        self._releases[coil] = asyncio.create_task(self._release(coil))

    async def beat(self) -> None:
        """Raises DeviceError when the PLC did not take it, or did not take the end of a pulse."""
        if self._stuck is not None:
            raise self._stuck
        if self._heartbeat is not None:
            self._beats = (self._beats + 1) % 65536
            await self._link.write_register(self._heartbeat, self._beats)

    async def close(self) -> None:
        for release in self._releases.values():
            release.cancel()
        with contextlib.suppress(DeviceError):
            await self._rest()
        await self._link.close()

    async def _release(self, coil: int) -> None:
        await asyncio.sleep(self._pulse_s)
        try:
            await self._link.write_coil(coil, on=False)
        except DeviceError as error:
            self._stuck = error

    async def _rest(self) -> None:
        for coil in self._coils.values():
            await self._link.write_coil(coil, on=False)
