"""A belt's encoder, whose count a PLC keeps in a register."""

from edge.modbus import ModbusLink, Table


class RegisterEncoder:
    """The register as it is; which way it counts is the belt's forward.

    Args:
        words: 16-bit registers that make up the count, the high one first.
    """

    def __init__(self, link: ModbusLink, register: int, *, table: Table = "holding", words: int = 1) -> None:
        self.modulo = 1 << 16 * words
        self._link, self._register, self._table, self._words = link, register, table, words

    async def open(self) -> None:
        """Connect and read the count once.

        Raises:
            DeviceError: the PLC or the register is not there.
        """
        await self._link.open()
        await self.read()

    async def read(self) -> int:
        """Raises DeviceError when the PLC is lost."""
        return await self._link.read_register(self._table, self._register, words=self._words)

    async def close(self) -> None:
        await self._link.close()
