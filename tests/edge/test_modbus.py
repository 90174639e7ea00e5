"""The link to a PLC, against a simulated one."""

import asyncio
from typing import Final

import numpy as np
import pytest

from edge.modbus import ModbusLink
from edge.rig.plc import COUNTER, plc
from vision.address import Address
from vision.errors import DeviceError

TRIALS: Final = 400


def test_a_cancelled_reader_ends_whenever_it_is_cancelled() -> None:
    async def read_on(link: ModbusLink) -> None:
        while True:
            await link.read_register("holding", COUNTER)

    async def work(port: int) -> None:
        link = ModbusLink(Address(host="127.0.0.1", port=port))
        moments = np.random.default_rng(0)
        for _ in range(TRIALS):
            await link.open()
            reading = asyncio.create_task(read_on(link))
            await asyncio.sleep(moments.uniform(0.001, 0.004))
            reading.cancel()
            _, going_on = await asyncio.wait([reading], timeout=2)
            assert not going_on, "the cancellation was swallowed"
            assert reading.cancelled()
        await link.close()

    with plc() as gate:
        asyncio.run(work(gate.port))


def test_what_the_plc_refuses_and_where_nobody_is_are_told_with_its_address() -> None:
    async def work(port: int) -> None:
        link = ModbusLink(Address(host="127.0.0.1", port=port))
        await link.open()
        with pytest.raises(
            DeviceError, match=rf"PLC 127\.0\.0\.1:{port}: read holding register 900: refused"
        ):
            await link.read_register("holding", 900)
        assert await link.read_register("holding", COUNTER) == 0
        await link.close()
        with pytest.raises(DeviceError, match="the connection is lost"):
            await link.read_register("holding", COUNTER)

    with plc() as gate:
        asyncio.run(work(gate.port))
