"""Parts as a camera sees them: a camera that a sensor triggers, or a stream, of which every frame is a part."""

from collections.abc import AsyncGenerator
from typing import Protocol

from edge.cameras.feed import Seen
from edge.ports import Camera, Pulse


class FrameCamera(Camera, Protocol):
    """A camera that delivers by itself, and gives each pulse its own frame."""

    latency_s: float

    def frames(self) -> AsyncGenerator[Seen, None]:
        """Raises DeviceError when the camera is lost."""
        ...


class FrameTrigger:
    """A pulse for each frame, at its exposure; its counter is the frame's id.

    Frames that were lost leave a gap in the ids, so that the station accounts for their parts as unseen. A frame whose picture is not whole
    is a part, too. The camera is opened here as well as by the station, which alone closes it.
    """

    def __init__(self, camera: FrameCamera) -> None:
        self._camera = camera

    async def open(self) -> None:
        """Raises DeviceError when the camera does not deliver."""
        await self._camera.open()

    async def pulses(self) -> AsyncGenerator[Pulse, None]:
        """Raises DeviceError when the camera is lost."""
        async for seen in self._camera.frames():
            yield Pulse(at_s=seen.at_s - self._camera.latency_s, counter=seen.frame_id)

    async def close(self) -> None:
        """The station closes the camera."""
