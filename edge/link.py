"""Whether a device is open: several who need it open it once, and have it opened again after it was lost."""

import asyncio

from edge.ports import Device


class Link:
    """Whether a device is open; whoever needs it opens it."""

    def __init__(self, device: Device) -> None:
        self._device, self._open, self._opening = device, False, asyncio.Lock()

    async def ready(self) -> None:
        """Open the device unless it is.

        Raises:
            DeviceError: it cannot be reached.
        """
        async with self._opening:
            if not self._open:
                await self._device.open()
                self._open = True

    def lost(self) -> None:
        """Have it opened again."""
        self._open = False
