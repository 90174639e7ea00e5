"""Parts as a PLC shows them: a register that goes up by one a part, or an input that a part moves.

Nothing that was counted is lost, however slowly it is read. An input has no memory: what it did between two readings nobody knows.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from edge.modbus import ModbusLink, Table
from edge.ports import Pulse
from edge.triggers.edges import EdgeName, Edges

_AT_ONCE: Final = 16  # parts in one reading that may still be before the gate


class CounterTrigger:
    """A pulse for each step of a register, read every `poll_s`.

    When it went up by more than one between two readings, nobody knows when which of the parts passed, so all are `missed`. Where that are
    very many, only the latest come as pulses; for the others the count speaks.

    Args:
        words: 16-bit registers that make up the counter, the high one first.
    """

    def __init__(
        self, link: ModbusLink, register: int, *, table: Table = "holding", words: int = 1, poll_s: float
    ) -> None:
        self._link, self._register, self._table = link, register, table
        self._words, self._poll_s = words, poll_s
        self._modulo = 1 << 16 * words

    async def open(self) -> None:
        """Connect and read the counter once.

        Raises:
            DeviceError: the PLC or the register is not there.
        """
        await self._link.open()
        await self._read()

    async def pulses(self) -> AsyncGenerator[Pulse, None]:
        """Raises DeviceError when the PLC is lost."""
        loop = asyncio.get_running_loop()
        last = await self._read()
        while True:
            due = loop.time() + self._poll_s
            now, at = await self._read(), loop.time()
            ahead = (now - last) % self._modulo
            if ahead <= self._modulo // 2:  # else it was set back
                for behind in range(min(ahead, _AT_ONCE) - 1, -1, -1):
                    yield Pulse(at_s=at, counter=(now - behind) % self._modulo, missed=ahead > 1)
            last = now
            await asyncio.sleep(due - loop.time())

    async def close(self) -> None:
        await self._link.close()

    async def _read(self) -> int:
        return await self._link.read_register(self._table, self._register, words=self._words)


class InputTrigger:
    """A pulse for each edge of a discrete input, read every `poll_s`.

    Two parts between which the input is not read at rest are one pulse, and a part that is gone before the next reading is none; there is
    no counter by which either could be found out afterwards.

    Args:
        stable_s: a level that stands shorter is a bounce.
    """

    def __init__(
        self, link: ModbusLink, number: int, *, edge: EdgeName, stable_s: float, poll_s: float
    ) -> None:
        self._link, self._number = link, number
        self._edge, self._stable_s, self._poll_s = edge, stable_s, poll_s

    async def open(self) -> None:
        """Connect and read the input once.

        Raises:
            DeviceError: the PLC or the input is not there.
        """
        await self._link.open()
        await self._link.read_input(self._number)

    async def pulses(self) -> AsyncGenerator[Pulse, None]:
        """Raises DeviceError when the PLC is lost."""
        loop, edges = asyncio.get_running_loop(), Edges(self._edge, stable_s=self._stable_s)
        while True:
            due = loop.time() + self._poll_s
            level = await self._link.read_input(self._number)
            came = edges.read(loop.time(), level=level)
            if came is not None:
                yield Pulse(at_s=came)
            await asyncio.sleep(due - loop.time())

    async def close(self) -> None:
        await self._link.close()
