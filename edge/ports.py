"""What a station needs of the world. Drivers in `cameras/`, `triggers/` and `actuators/` fulfil these; tests bring their own.

Moments are seconds of the event loop's clock, which is monotonic. Every driver is used by one event loop, is opened before it is used, may be
opened again after it failed, and says what is wrong as a `DeviceError` that names the device.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vision.image import Frame
from vision.inspection.policy import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """A part was seen.

    Attributes:
        at_s: when.
        counter: how many parts the device had seen with this one; none if it does not count.
        missed: the device counted it, but nobody saw it in time; it cannot be photographed any more.
    """

    at_s: float
    counter: int | None = None
    missed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A picture as the camera gave it.

    Attributes:
        image: an encoded file, or pixels.
        frame_id: the camera's own count; none if it does not count.
        device_ns: the camera's own clock at exposure; none if it has none.
        name: what to call it in messages.
    """

    image: bytes | Frame
    frame_id: int | None = None
    device_ns: int | None = None
    name: str = "frame"


class Device(Protocol):
    async def open(self) -> None:
        """Reach the device.

        Raises:
            DeviceError: it cannot be reached, or is not what was configured.
        """
        ...

    async def close(self) -> None:
        """Let go of it, in its safe state. Never raises."""
        ...


class Trigger(Device, Protocol):
    def pulses(self) -> AsyncGenerator[Pulse, None]:
        """Parts as they come; ends where there will be no more.

        Raises:
            DeviceError: the device is lost.
        """
        ...


class Camera(Device, Protocol):
    async def capture(self, pulse: Pulse) -> Shot:
        """The part's picture.

        Raises:
            DeviceError: there is none.
        """
        ...


@runtime_checkable
class Counting(Protocol):
    """A camera that keeps figures of itself."""

    def counts(self) -> Mapping[str, int]:
        """Frames and packets by what became of them, and how often it was opened anew, since the station started; for any thread."""
        ...


class Actuator(Device, Protocol):
    async def drive(self, decision: Decision) -> None:
        """Move the output for the part that is there now; returns once the device has taken it.

        Raises:
            DeviceError: it did not take it.
        """
        ...

    async def beat(self, *, taking: bool = True) -> None:
        """Show the device that the station is alive.

        Args:
            taking: parts; else the device is asked whether it is there, and whoever watches the heart sees it stand still.

        Raises:
            DeviceError: it did not take it.
        """
        ...


class Encoder(Device, Protocol):
    @property
    def modulo(self) -> int:
        """Where its count begins anew."""
        ...

    async def read(self) -> int:
        """How far the belt is, 0..modulo - 1.

        Raises:
            DeviceError: the device is lost.
        """
        ...


class RecipeSource(Device, Protocol):
    async def code(self) -> int:
        """Of the product that runs now.

        Raises:
            DeviceError: nobody says.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """What one station drives. Each part is seen by all of its cameras.

    Attributes:
        recipe: absent: the station has one product.
        encoder: absent: parts are due by time.
    """

    trigger: Trigger
    cameras: tuple[Camera, ...]
    actuator: Actuator
    recipe: RecipeSource | None = None
    encoder: Encoder | None = None
