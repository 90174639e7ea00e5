"""A PLC reached over Modbus TCP. The one file that knows pymodbus (extra `modbus`)."""

import asyncio
from collections.abc import Awaitable
from typing import Final, Literal

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from vision.address import Address
from vision.errors import DeviceError

Table = Literal["holding", "input"]
_TIMEOUT_S: Final = 0.25  # a PLC on the box's own switch answers within milliseconds


class ModbusLink:
    """One connection. Requests wait for each other; one that fails closes it, and `open` makes a new one.

    Args:
        unit: the device's id behind the address, 0..255.
    """

    def __init__(self, address: Address, *, unit: int = 1, timeout_s: float = _TIMEOUT_S) -> None:
        self.name = f"PLC {address}"
        self._address, self._unit, self._timeout_s = address, unit, timeout_s
        self._client: AsyncModbusTcpClient | None = None

    async def open(self) -> None:
        """Connect, unless it is connected.

        Raises:
            DeviceError: nobody answers there.
        """
        if self._client is not None and self._client.connected:
            return
        client = AsyncModbusTcpClient(
            self._address.host or "127.0.0.1",
            port=self._address.port,
            timeout=self._timeout_s,
            retries=0,
            reconnect_delay=0,
        )
        if not await client.connect():
            client.close()
            raise DeviceError(f"{self.name}: expected a Modbus TCP device, found nobody who answers")
        self._client = client

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def read_register(self, table: Table, register: int, *, words: int = 1) -> int:
        """An unsigned number of 16 bits a word, the high word first.

        Raises:
            DeviceError: the device does not answer, or refuses.
        """
        client = self._connected()
        read = client.read_holding_registers if table == "holding" else client.read_input_registers
        answer = await self._ask(
            f"read {table} register {register}", read(register, count=words, device_id=self._unit)
        )
        number = 0
        for word in answer.registers:
            number = number << 16 | word
        return number

    async def read_input(self, number: int) -> bool:
        """A discrete input. Raises DeviceError as `read_register` does."""
        answer = await self._ask(
            f"read discrete input {number}",
            self._connected().read_discrete_inputs(number, count=1, device_id=self._unit),
        )
        return bool(answer.bits[0])

    async def write_coil(self, coil: int, *, on: bool) -> None:
        """Raises DeviceError as `read_register` does."""
        await self._ask(f"write coil {coil}", self._connected().write_coil(coil, on, device_id=self._unit))

    async def write_register(self, register: int, value: int) -> None:
        """Raises DeviceError as `read_register` does."""
        await self._ask(
            f"write register {register}",
            self._connected().write_register(register, value, device_id=self._unit),
        )

    def _connected(self) -> AsyncModbusTcpClient:
        if self._client is None or not self._client.connected:
            raise DeviceError(f"{self.name}: the connection is lost")
        return self._client

    async def _ask(self, what: str, asked: Awaitable[ModbusPDU]) -> ModbusPDU:
        try:
            answer = await asked
        except ModbusException as error:
            await self.close()
            raise DeviceError(f"{self.name}: {what}: {error}") from error
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # pymodbus waits with wait_for, which before Python 3.12 loses a cancellation that comes with the answer
            raise asyncio.CancelledError
        if answer.isError():
            raise DeviceError(f"{self.name}: {what}: refused with exception {answer.exception_code}")
        return answer
