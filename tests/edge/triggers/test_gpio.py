"""Parts on a line of a GPIO chip: what can be tried without a chip, with a pipe in the place of the kernel's queue."""

import asyncio
import os
import time
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ports import Pulse
from edge.triggers.gpio import GpioTrigger, Seen, pulses_of
from vision.errors import DeviceError


@dataclass
class FakeLine:
    """Edges that a test lets happen; the pipe is readable while there are some."""

    name: str = "GPIO /dev/gpiochip0 line 4"
    waiting: list[Seen] = field(default_factory=list)
    pipe: tuple[int, int] = field(default_factory=os.pipe)
    gone: bool = False
    closed: bool = False

    def happen(self, *edges: Seen) -> None:
        self.waiting += edges
        os.write(self.pipe[1], b"!")

    def fileno(self) -> int:
        return self.pipe[0]

    def read(self) -> list[Seen]:
        os.read(self.pipe[0], 64)
        if self.gone:
            raise DeviceError(f"{self.name}: No such device")
        seen, self.waiting = self.waiting, []
        return seen

    def close(self) -> None:
        self.closed = True
        for end in self.pipe:
            os.close(end)


async def first(trigger: GpioTrigger, count: int) -> list[Pulse]:
    found: list[Pulse] = []
    async with aclosing(trigger.pulses()) as pulses:
        async for pulse in pulses:
            found.append(pulse)
            if len(found) == count:
                break
    return found


def test_an_edge_is_dated_by_the_kernel_however_late_it_is_read() -> None:
    async def work() -> None:
        line = FakeLine()
        trigger = GpioTrigger(lambda: line)
        await trigger.open()
        began, began_ns = asyncio.get_running_loop().time(), time.monotonic_ns()
        line.happen(Seen(at_ns=began_ns, number=1), Seen(at_ns=began_ns + 30_000_000, number=2))
        await asyncio.sleep(0.05)
        pulses = await first(trigger, 2)
        assert [one.at_s - began for one in pulses] == pytest.approx([0, 0.03], abs=0.001)
        assert not any(one.missed for one in pulses)
        await trigger.close()
        assert line.closed

    asyncio.run(work())


def test_edges_come_as_they_happen() -> None:
    async def work() -> None:
        line = FakeLine()
        trigger = GpioTrigger(lambda: line)
        await trigger.open()
        following = asyncio.create_task(first(trigger, 3))
        for number in range(1, 4):
            await asyncio.sleep(0.01)
            line.happen(Seen(at_ns=time.monotonic_ns(), number=number))
        assert len(await asyncio.wait_for(following, 5)) == 3
        await trigger.close()

    asyncio.run(work())


def test_a_chip_that_is_gone_is_an_error_and_the_line_is_taken_anew() -> None:
    async def work() -> None:
        lines = [FakeLine(), FakeLine()]
        taken = iter(lines)
        trigger = GpioTrigger(lambda: next(taken))
        await trigger.open()
        lines[0].gone = True
        lines[0].happen()
        with pytest.raises(DeviceError, match="GPIO /dev/gpiochip0 line 4: No such device"):
            await first(trigger, 1)
        await trigger.open()
        assert lines[0].closed
        lines[1].happen(Seen(at_ns=time.monotonic_ns(), number=1))
        assert len(await first(trigger, 1)) == 1
        await trigger.close()

    asyncio.run(work())


@given(kept=st.lists(st.booleans(), min_size=1, max_size=50))
def test_edges_that_the_kernel_had_no_room_for_are_missed_parts(kept: list[bool]) -> None:
    kept[-1], last, pulses = True, 0, list[Pulse]()
    for number, one in enumerate(kept, start=1):
        if one:
            pulses += pulses_of(Seen(at_ns=0, number=number), last, 0.0)
            last = number
    assert [pulse.missed for pulse in pulses] == [not one for one in kept]
