"""Parts at an even pace, for trials and for lines that move in step with a clock."""

import asyncio
import itertools
from collections.abc import AsyncGenerator

from edge.ports import Pulse


class TimerTrigger:
    """A pulse every `period_s`, on the grid of the first, `parts` of them or without end."""

    def __init__(self, period_s: float, *, parts: int | None = None) -> None:
        self._period_s, self._parts = period_s, parts

    async def open(self) -> None:
        """Nothing to reach."""

    async def pulses(self) -> AsyncGenerator[Pulse, None]:
        loop = asyncio.get_running_loop()
        started = loop.time()
        for number in itertools.count() if self._parts is None else range(self._parts):
            at = started + number * self._period_s
            await asyncio.sleep(at - loop.time())
            yield Pulse(at_s=at)

    async def close(self) -> None:
        """Nothing is held."""
