"""The product that runs now, as a PLC's register says."""

from edge.modbus import ModbusLink, Table


class RegisterRecipe:
    """A register's value is the recipe's code."""

    def __init__(self, link: ModbusLink, register: int, *, table: Table = "holding") -> None:
        self._link, self._register, self._table = link, register, table

    async def open(self) -> None:
        """Raises DeviceError when the PLC or the register is not there."""
        await self._link.open()
        await self.code()

    async def code(self) -> int:
        """Raises DeviceError when the PLC does not answer."""
        return await self._link.read_register(self._table, self._register)

    async def close(self) -> None:
        await self._link.close()
