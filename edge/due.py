"""When a part is at the gate: so long after its trigger, or when the belt's encoder has moved so far.

A station asks for an `Arrival` as a part is triggered, decides within `in_time`, and waits for `there`. Pure over `ports.Encoder`: neither
knows a part's verdict or its gate.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final, Protocol

from edge.clockwork import awake_at
from edge.ports import Encoder, Pulse
from edge.travel import Travel
from vision.errors import DeviceError

_RETRY_S: Final = (0.1, 5.0)  # after the encoder was lost: the first pause, doubling up to the last


class Arrival(Protocol):
    """One part on its way to the gate."""

    def in_time(self, lead_s: float) -> AbstractAsyncContextManager[object]:
        """A block that ends with TimeoutError when the part is `lead_s` before the gate."""
        ...

    async def there(self) -> float:
        """Wait until the part is at the gate; gives the moment at which it was.

        Raises:
            DeviceError: nobody can say any more when that will be.
        """
        ...


class Due(Protocol):
    """When parts arrive."""

    def start(self, alarm: Callable[[str], None]) -> None:
        """Begin to watch; on the event loop of the parts."""
        ...

    def arrival(self, pulse: Pulse) -> Arrival: ...
    async def close(self) -> None: ...


def due_by(encoder: Encoder | None, due_s: float, *, counts: int, poll_s: float) -> Due:
    """By the encoder where there is one, `due_s` at most; by time otherwise."""
    if encoder is None:
        return ByTime(due_s)
    return ByEncoder(encoder, counts=counts, limit_s=due_s, poll_s=poll_s)


class ByTime:
    """A belt that never changes its speed: a part is at the gate `due_s` after its trigger."""

    def __init__(self, due_s: float) -> None:
        self._due_s = due_s

    def start(self, alarm: Callable[[str], None]) -> None:
        """Nothing to watch."""

    def arrival(self, pulse: Pulse) -> "_AtMoment":
        return _AtMoment(pulse.at_s + self._due_s)

    async def close(self) -> None:
        """Nothing is held."""


class _AtMoment:
    def __init__(self, due: float) -> None:
        self._due = due

    def in_time(self, lead_s: float) -> AbstractAsyncContextManager[object]:
        return asyncio.timeout_at(self._due - lead_s)

    async def there(self) -> float:
        await awake_at(self._due)
        return self._due


class ByEncoder:
    """A belt that may run faster, slower or not at all: a part is at the gate once the encoder has moved `counts` since its trigger.

    The encoder is read every `poll_s`. Between two readings the belt is taken to go on as it did, so the gate moves at the part's moment and
    not at the next reading.

    Args:
        counts: from the sensor to the gate, in the encoder's counts; at least 1.
        limit_s: a part that is not at the gate so long after its trigger is given up.
    """

    def __init__(self, encoder: Encoder, *, counts: int, limit_s: float, poll_s: float) -> None:
        self._encoder, self._counts, self._limit_s, self._poll_s = encoder, counts, limit_s, poll_s
        self._travel = Travel(encoder.modulo, most=counts)
        self._parts: set[_AtCount] = set()
        self._watching: asyncio.Task[None] | None = None

    def start(self, alarm: Callable[[str], None]) -> None:
        self._watching = asyncio.create_task(self._watch(alarm))

    def arrival(self, pulse: Pulse) -> "_AtCount":
        part = _AtCount(pulse.at_s, self._counts, self._limit_s)
        self._parts.add(part)
        part.moment.add_done_callback(lambda _: self._parts.discard(part))
        return part

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        await self._encoder.close()

    async def _watch(self, alarm: Callable[[str], None]) -> None:
        """Read on for ever; an encoder that is lost is opened again."""
        pause = _RETRY_S[0]
        while True:
            try:
                await self._encoder.open()
                while True:
                    await self._read(alarm)
                    pause = _RETRY_S[0]
            except DeviceError as error:
                alarm(f"encoder: {error}")
                await asyncio.sleep(pause)
                pause = min(2 * pause, _RETRY_S[1])

    async def _read(self, alarm: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        next_s = loop.time() + self._poll_s
        count = await self._encoder.read()
        leap = self._travel.read(loop.time(), count)
        if leap is not None:
            why = f"the encoder leapt by {leap} counts between two readings, and the gate is {self._counts} away"
            alarm(f"{why}; parts on their way are given up")
            for part in tuple(self._parts):
                part.give_up(why)
        for part in tuple(self._parts):
            part.look(self._travel, until_s=next_s + self._poll_s)
        await asyncio.sleep(next_s - loop.time())


class _AtCount:
    def __init__(self, at_s: float, counts: int, limit_s: float) -> None:
        self.moment: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._at_s, self._counts, self._limit_s = at_s, counts, limit_s
        self._target: float | None = None  # none until the encoder was read after the trigger
        self._near_s = float("inf")  # when it will be, as the belt runs now
        self._hurry: Callable[[], None] = lambda: None
        self._moved = 0.0
        self.moment.add_done_callback(lambda done: None if done.cancelled() else done.exception())

    @asynccontextmanager
    async def in_time(self, lead_s: float) -> AsyncGenerator[None, None]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout_at(self._at_s + self._limit_s - lead_s) as limit:

            def hurry() -> None:
                if self.moment.done() or self._near_s - lead_s <= loop.time():
                    with suppress(RuntimeError):  # it has run out already
                        limit.reschedule(loop.time())
                    self._hurry = lambda: None

            self._hurry = hurry
            try:
                hurry()
                yield
            finally:
                self._hurry = lambda: None

    async def there(self) -> float:
        try:
            async with asyncio.timeout_at(self._at_s + self._limit_s):
                moment = await asyncio.shield(self.moment)
        except TimeoutError as error:
            self.moment.cancel()
            raise DeviceError(
                f"not at the gate {self._limit_s} s after its trigger: the belt moved {self._moved:.0f} of {self._counts} counts"
            ) from error
        await awake_at(moment)
        return moment

    def give_up(self, why: str) -> None:
        if not self.moment.done():
            self.moment.set_exception(DeviceError(why))
        self._hurry()

    def look(self, travel: Travel, *, until_s: float) -> None:
        """After a reading: where the part is now, and when it will be at the gate if that is before `until_s`."""
        if self.moment.done():
            return
        if self._target is None:
            began = travel.at(self._at_s)
            if began is None:
                self.give_up("the encoder was not read when the part passed")
                return
            self._target = began + self._counts
        self._moved = travel.now - (self._target - self._counts)
        self._near_s = travel.when(self._target)
        if self._near_s <= until_s:
            self.moment.set_result(self._near_s)
        self._hurry()
