"""The product that runs now, as a broker's topic says: the last message is its code in decimal digits, and nothing else.

Published with `retain`, so that a box hears it that starts later. A broker that does not answer now may know of another product meanwhile,
so what it said before is worth nothing.
"""

import re
from typing import Final

from edge.mqtt import Login, MqttLink
from vision.errors import DeviceError

_CODE: Final = re.compile(rb"[0-9]{1,5}")
_MOST: Final = 65535  # as in `line.toml`
_SHOWN: Final = 40


class TopicRecipe:
    """A topic's last message is the recipe's code."""

    def __init__(self, login: Login, topic: str) -> None:
        self._link = MqttLink(login, topic=topic)
        self._where = f"{self._link.name}: {topic}"

    async def open(self) -> None:
        """Raises DeviceError when the broker cannot be reached, refuses, or has no code to tell."""
        await self._link.open()
        await self.code()

    async def code(self) -> int:
        """Raises DeviceError when the broker does not answer, or what it said last is no code."""
        said = await self._link.said()
        if said is None:
            raise DeviceError(
                f"{self._where}: expected a retained message with the code of the product that runs now, found none"
            )
        return code_in(said, self._where)

    async def close(self) -> None:
        await self._link.close()


def code_in(said: bytes, where: str) -> int:
    """The code in a message, 0..65535.

    Raises:
        DeviceError: there is none, or something beside it.
    """
    if _CODE.fullmatch(said) is None or int(said) > _MOST:
        shown = f"{said[:_SHOWN]!r}".removeprefix("b") + ("…" if len(said) > _SHOWN else "")
        found = f"{len(said)} bytes, {shown}" if said else "an empty message"
        raise DeviceError(f"{where}: expected a recipe's code, 0..{_MOST} in decimal digits, found {found}")
    return int(said)
