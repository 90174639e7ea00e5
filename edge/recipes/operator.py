"""The product that runs now, as an operator said: a file with its code, which `loupe edge recipe` writes."""

import asyncio
from pathlib import Path
from typing import Final

from vision.errors import DeviceError
from vision.files import write_bytes

FILE: Final = "recipe"


class OperatorRecipe:
    """The code that was last set in a station's folder; read for each part, so that it holds from the next one on."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    async def open(self) -> None:
        """Raises DeviceError when nobody has set one."""
        await self.code()

    async def code(self) -> int:
        """Raises DeviceError when nobody has set one, or it cannot be read."""
        return await asyncio.to_thread(read_code, self._file)

    async def close(self) -> None:
        """Nothing is held."""


def read_code(file: Path) -> int:
    """The code in a file.

    Raises:
        DeviceError: there is none, or it is no number.
    """
    try:
        said = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DeviceError(
            f"{file}: expected the code of the product that runs now (`loupe edge recipe` sets it), found none: {error}"
        ) from error
    if not said.isdecimal():
        raise DeviceError(f"{file}: expected a recipe's code, found '{said[:40]}'")
    return int(said)


def set_code(folder: Path, code: int) -> None:
    """Have a station's next part judged by another recipe.

    Raises:
        StorageError: the disk refused; the code is the old one.
    """
    write_bytes(folder / FILE, f"{code}\n".encode())
