"""Parts on a line of a GPIO chip. The kernel keeps each edge with its moment, so that a box that is busy sees it late but dates it right."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Protocol

from edge.ports import Pulse
from vision.errors import DeviceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An edge.

    Attributes:
        at_ns: of the kernel's monotonic clock.
        number: of the line's edges since it was taken, from 1; the kernel counts those, too, that it had no room to keep.
    """

    at_ns: int
    number: int


class EdgeSource(Protocol):
    """A line that was taken; `edge.gpio.InputLine`."""

    @property
    def name(self) -> str: ...
    def fileno(self) -> int:
        """Readable when there are edges."""
        ...

    def read(self) -> list[Seen]:
        """Raises DeviceError when the chip is gone."""
        ...

    def close(self) -> None: ...


class GpioTrigger:
    """A pulse for each edge.

    Args:
        take: takes the line. Raises DeviceError where that is not possible.
    """

    def __init__(self, take: Callable[[], EdgeSource]) -> None:
        self._take = take
        self._line: EdgeSource | None = None

    async def open(self) -> None:
        """Take the line.

        Raises:
            DeviceError: there is no such chip or line, or another program has it.
        """
        await self.close()
        self._line = self._take()

    async def pulses(self) -> AsyncGenerator[Pulse, None]:
        """Raises DeviceError when the chip is gone."""
        line = self._line
        if line is None:
            raise DeviceError("GPIO: the line was not taken")
        loop, last = asyncio.get_running_loop(), 0
        arrived: asyncio.Queue[list[Seen] | DeviceError] = asyncio.Queue()

        def read() -> None:
            try:  # at once: a reading later might find nothing, and wait with the whole loop
                arrived.put_nowait(line.read())
            except DeviceError as error:
                loop.remove_reader(line.fileno())
                arrived.put_nowait(error)

        loop.add_reader(line.fileno(), read)
        try:
            while True:
                seen = await arrived.get()
                if isinstance(seen, DeviceError):
                    raise seen
                for one in seen:
                    for pulse in pulses_of(one, last, moment(one.at_ns)):
                        yield pulse
                    last = one.number
        finally:
            loop.remove_reader(line.fileno())

    async def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


def moment(at_ns: int) -> float:
    """The event loop's time at a moment of the kernel's monotonic clock."""
    return asyncio.get_running_loop().time() - (time.monotonic_ns() - at_ns) / 1e9


def pulses_of(seen: Seen, last: int, at_s: float) -> list[Pulse]:
    """An edge's pulse, after those that the kernel counted since edge `last` and could not keep."""
    lost = max(0, seen.number - last - 1)
    return [*[Pulse(at_s=at_s, missed=True)] * lost, Pulse(at_s=at_s)]
