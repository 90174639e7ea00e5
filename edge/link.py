"""Whether a device is open and well: several who need it open it once, and have it opened again after it was lost.

What it knows of the device's health is a frozen value, which other threads may read at any time.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from edge.ports import Device


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A device, as it was last met.

    Attributes:
        well: none while nobody has met it.
        since: when it became so; wall time, for people.
        error: what it said last, where it is not well.
    """

    well: bool | None = None
    since: datetime | None = None
    error: str = ""


class Link:
    """Whether a device is open; whoever needs it opens it.

    Args:
        proven: after an error it is well when it did what it is for, rather than when it is open again.
    """

    def __init__(
        self,
        device: Device,
        *,
        proven: bool = False,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.health = Health()
        self._device, self._open, self._opening = device, False, asyncio.Lock()
        self._proven, self._wall = proven, wall

    async def ready(self) -> None:
        """Open the device unless it is.

        Raises:
            DeviceError: it cannot be reached.
        """
        async with self._opening:
            if not self._open:
                await self._device.open()
                self._open = True
                if not self._proven or self.health.well is None:
                    self.worked()

    def worked(self) -> None:
        """It did what it is for."""
        if not self.health.well:
            self.health = Health(well=True, since=self._wall())

    def failed(self, error: object) -> None:
        """It did not; it need not be opened again."""
        since = self._wall() if self.health.well is not False else self.health.since
        self.health = Health(well=False, since=since, error=str(error))

    def lost(self, error: object) -> None:
        """Have it opened again."""
        self._open = False
        self.failed(error)
