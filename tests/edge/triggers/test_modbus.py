"""Parts on a PLC's input, against a simulated PLC whose sensor sees them pass."""

import asyncio
from contextlib import aclosing

import pytest

from edge.modbus import ModbusLink
from edge.rig.plc import COUNTER, SENSOR, Plc, plc
from edge.triggers.edges import EdgeName
from edge.triggers.modbus import CounterTrigger, InputTrigger
from vision.address import Address
from vision.errors import DeviceError

COVERS_S = 0.04


async def seen(gate: Plc, count: int, *, edge: EdgeName = "rising", stable_s: float = 0.0) -> list[float]:
    """When the first `count` parts were seen that pass once the input is read."""
    link = ModbusLink(Address(host="127.0.0.1", port=gate.port))
    trigger = InputTrigger(link, SENSOR, edge=edge, stable_s=stable_s, poll_s=0.005)
    await trigger.open()
    moments: list[float] = []

    async def follow() -> None:
        async with aclosing(trigger.pulses()) as pulses:
            async for pulse in pulses:
                moments.append(pulse.at_s)
                if len(moments) == count:
                    return

    following = asyncio.create_task(follow())
    await asyncio.sleep(0.05)
    await asyncio.to_thread(gate.convey, count, 2.5 * COVERS_S)
    await asyncio.wait_for(following, 5)
    await trigger.close()
    return moments


@pytest.mark.parametrize(
    ("edge", "stable_s", "after_s"),
    [("rising", 0.0, 0.0), ("rising", 0.015, 0.0), ("falling", 0.0, COVERS_S)],
)
def test_each_part_is_seen_once_and_at_its_edge(edge: EdgeName, stable_s: float, after_s: float) -> None:
    with plc(covers_s=COVERS_S) as gate:
        moments = asyncio.run(seen(gate, 4, edge=edge, stable_s=stable_s))
        for passed, moment in zip(gate.parts, moments, strict=True):
            assert moment - passed == pytest.approx(after_s, abs=0.03)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (1, [(1, False)]),
        (3, [(1, True), (2, True), (3, True)]),
        (30_000, [(count, True) for count in range(29_985, 30_001)]),
    ],
)
def test_what_was_counted_between_two_readings_is_told_as_far_as_it_may_be_before_the_gate(
    steps: int, expected: list[tuple[int, bool]]
) -> None:
    async def work(gate: Plc) -> list[tuple[int | None, bool]]:
        trigger = CounterTrigger(ModbusLink(Address(host="127.0.0.1", port=gate.port)), COUNTER, poll_s=0.005)
        await trigger.open()
        async with aclosing(trigger.pulses()) as pulses:
            first = asyncio.ensure_future(anext(pulses))
            await asyncio.sleep(0.05)
            await asyncio.to_thread(gate.set_register, COUNTER, steps)
            found = [await first]
            found += [await anext(pulses) for _ in expected[1:]]
        await trigger.close()
        return [(pulse.counter, pulse.missed) for pulse in found]

    with plc() as gate:
        assert asyncio.run(work(gate)) == expected


def test_a_plc_that_is_gone_is_an_error() -> None:
    async def work(gate: Plc) -> None:
        trigger = InputTrigger(
            ModbusLink(Address(host="127.0.0.1", port=gate.port)),
            SENSOR,
            edge="rising",
            stable_s=0,
            poll_s=0.005,
        )
        await trigger.open()
        async with aclosing(trigger.pulses()) as pulses:
            following = asyncio.ensure_future(anext(pulses))
            await asyncio.sleep(0.05)
            await asyncio.to_thread(gate.stop)
            with pytest.raises(DeviceError, match=rf"PLC 127\.0\.0\.1:{gate.port}"):
                await following
        await trigger.close()
        await asyncio.to_thread(gate.start)

    with plc() as gate:
        asyncio.run(work(gate))
