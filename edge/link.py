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

    An error at work is over when the device has worked again; any other one when it is open again.
    """

    def __init__(self, device: Device, *, wall: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.health = Health()
        self._device, self._open, self._opening = device, False, asyncio.Lock()
        self._wall, self._unproven = wall, False

    async def ready(self) -> None:
        """Open the device unless it is.

        Raises:
            DeviceError: it cannot be reached.
        """
        async with self._opening:
            if not self._open:
                await self._device.open()
                self._open = True
                if not self._unproven:
                    self.worked()

    def worked(self) -> None:
        """It did what it is for."""
        self._unproven = False
        if not self.health.well:
            self.health = Health(well=True, since=self._wall())

    def failed(self, error: object, *, at_work: bool = True) -> None:
        """It did not; it need not be opened again."""
        self._unproven |= at_work
        since = self._wall() if self.health.well is not False else self.health.since
        self.health = Health(well=False, since=since, error=str(error))

    def lost(self, error: object, *, at_work: bool = False) -> None:
        """Have it opened again."""
        self._open = False
        self.failed(error, at_work=at_work)
