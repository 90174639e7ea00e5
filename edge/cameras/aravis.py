"""A GigE Vision or USB3 Vision camera, through Aravis in a child process of its own (`edge.cameras.grabber`): no camera waits for another.

With a software trigger, `capture` makes the camera expose and gives that frame. A camera that a sensor triggers, or that runs freely, delivers by
itself: either every frame is a part (`edge.triggers.camera`), or the part's is the first that arrives after the pulse.
"""

import itertools
from collections.abc import AsyncGenerator, Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any, Final, Literal

from edge.cameras.feed import Child, FrameFeed, Seen
from edge.ports import Pulse, Shot

Exposes = Literal["software", "hardware", "free"]

_OPEN_S: Final = 10.0  # Aravis gives up on a camera that does not answer after 2.5 s, and asks it many things
_SILENCE_S: Final = 8.0  # a command that is not answered takes 2.5 s, and may wait for another
_RETENTION_S: Final = 0.1
_SLACK_S: Final = 0.1  # for the way to the child and back


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What became of frames and packets since the station started.

    Attributes:
        completed: whole frames.
        failures: frames given up, since packets were missing or for another fault.
        underruns: frames for which there was no buffer.
        resent: packets that came when they were asked for again.
        missing: packets that never came.
        unasked: frames without a trigger.
        repeated: frames that came again, or after a later one.
        reconnects: how often the camera was opened anew.
    """

    completed: int = 0
    failures: int = 0
    underruns: int = 0
    resent: int = 0
    missing: int = 0
    unasked: int = 0
    repeated: int = 0
    reconnects: int = 0


_COUNTED: Final = tuple(one.name for one in fields(Counters) if one.name != "reconnects")


class AravisCamera:
    """One camera.

    Args:
        device: an IP address, or the id that `arv-tool-0.8` lists.
        exposes: at whose command.
        each_frame: pulses come from `frames` alone, and `capture` gives the pulse's own frame.
        latency_s: from exposure to arrival, where the camera delivers by itself.
        timeout_s: from the command to the frame, or from the pulse to a frame.
        late_s: a part that was seen longer ago than this is not photographed any more.
        settings: of the camera; fields of `edge.cameras.genicam.Wanted`.
    """

    def __init__(
        self,
        device: str,
        *,
        exposes: Exposes,
        each_frame: bool = False,
        latency_s: float = 0.0,
        timeout_s: float = 0.25,
        late_s: float = 0.05,
        settings: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.name = f"camera {device}"
        self.latency_s, self._timeout_s = latency_s, timeout_s
        self._software, self._each_frame = exposes == "software", each_frame
        self._triggers = itertools.count()
        self._earlier, self._counted = Counters(), Counters()
        retention_s = min(
            _RETENTION_S, timeout_s / 2
        )  # so that a frame that is not whole comes in time to say so
        wanted = {"device": device, "trigger": exposes, "retention_s": retention_s, **settings}
        child = Child(
            module="edge.cameras.grabber",
            told={"wanted": wanted, "timeout_s": timeout_s, "late_s": late_s},
            open_s=_OPEN_S,
            silence_s=_SILENCE_S,
        )
        self._feed = FrameFeed(self.name, child, on_counts=self._count)

    @property
    def counters(self) -> Counters:
        """Until now."""
        return Counters(**{**asdict(self._counted), "reconnects": self._feed.reopened})

    def counts(self) -> Mapping[str, int]:
        """The same, by name."""
        return asdict(self.counters)

    async def open(self) -> None:
        """Wait until the camera is connected and set.

        Raises:
            DeviceError: it is not; it is tried again in the background.
        """
        await self._feed.open(_OPEN_S)

    async def capture(self, pulse: Pulse) -> Shot:
        """The part's frame.

        Raises:
            DeviceError: it did not come in time, is not whole, or may be another part's; or the camera is lost.
        """
        if self._software:
            number = next(self._triggers)
            self._feed.write({"trigger": number, "at_s": pulse.at_s})
            return await self._feed.first(lambda seen: seen.trigger == number, self._timeout_s + _SLACK_S)
        if self._each_frame:
            return self._feed.own(pulse.counter)
        wanted = pulse.at_s + self.latency_s
        return await self._feed.first(lambda seen: seen.at_s >= wanted, self._timeout_s)

    def frames(self) -> AsyncGenerator[Seen, None]:
        """Every frame; raises DeviceError when the camera is lost."""
        return self._feed.frames()

    async def close(self) -> None:
        await self._feed.close()

    def _count(self, since_opened: Mapping[str, int]) -> None:
        """Take figures of the child's present life; those of earlier lives are added."""
        now = Counters(
            **{name: since_opened.get(name, 0) for name in _COUNTED}, reconnects=self._feed.reopened
        )
        if now.reconnects != self._counted.reconnects:
            self._earlier = self._counted
        self._counted = Counters(
            **{name: getattr(self._earlier, name) + getattr(now, name) for name in _COUNTED},
            reconnects=now.reconnects,
        )
