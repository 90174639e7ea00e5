"""The cameras that look at one part: asked together, opened again when they fail, and never believed twice.

A frame that is not later than the camera's last is a fault, not a picture of this part. It knows nothing of models or outputs.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from edge.link import Health, Link
from edge.ports import Camera, Counting, Pulse, Shot
from vision.errors import DeviceError


@dataclass(slots=True)
class _Eye:
    """One camera, one capture at a time."""

    name: str
    camera: Camera
    link: Link
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    last: Shot | None = None


class Eyes:
    """A station's cameras.

    Args:
        alarm: told which of them failed, and how.
    """

    def __init__(self, cameras: Sequence[Camera], *, alarm: Callable[[str], None]) -> None:
        names = (
            ["camera"] if len(cameras) == 1 else [f"camera {number + 1}" for number in range(len(cameras))]
        )
        self._eyes = [_Eye(name, one, Link(one)) for name, one in zip(names, cameras, strict=True)]
        self._alarm = alarm

    async def open(self) -> None:
        """Open what can be opened; of the others, each part will say so."""
        for eye in self._eyes:
            try:
                await eye.link.ready()
            except DeviceError as error:
                eye.link.lost(error)

    def health(self) -> dict[str, Health]:
        """Of each camera, by name; for any thread."""
        return {eye.name: eye.link.health for eye in self._eyes}

    def counts(self) -> dict[str, Mapping[str, int]]:
        """Of each camera that keeps figures of itself, by name; for any thread."""
        return {eye.name: eye.camera.counts() for eye in self._eyes if isinstance(eye.camera, Counting)}

    async def capture(self, pulse: Pulse) -> tuple[Shot, ...]:
        """The part's pictures, one a camera, in the order of the cameras.

        Raises:
            DeviceError: one has none, or none that is new; it is opened again for the next part.
        """
        return tuple(await asyncio.gather(*[self._look(eye, pulse) for eye in self._eyes]))

    async def close(self) -> None:
        for eye in self._eyes:
            await eye.camera.close()

    async def _look(self, eye: _Eye, pulse: Pulse) -> Shot:
        async with eye.turn:
            try:
                await eye.link.ready()
                shot = await eye.camera.capture(pulse)
            except DeviceError as error:
                eye.link.lost(error, at_work=True)
                self._alarm(f"{eye.name}: {error}")
                raise
            except asyncio.CancelledError:
                eye.link.failed("no picture came before its part had to be decided")
                raise
            try:
                _check_new(shot, eye.last)
            except DeviceError as error:
                eye.link.failed(error)
                self._alarm(f"{eye.name}: {error}")
                raise
            eye.link.worked()
            eye.last = shot
            return shot


def _check_new(shot: Shot, last: Shot | None) -> None:
    """Raises DeviceError unless the shot is later than the last."""
    if last is None:
        return
    for what, before, now in (
        ("frame id", last.frame_id, shot.frame_id),
        ("device time", last.device_ns, shot.device_ns),
    ):
        if before is not None and now is not None and now <= before:
            again = "the same frame again" if now == before else "an older frame"
            raise DeviceError(f"{shot.name}: expected a {what} above {before}, found {now}: {again}")
