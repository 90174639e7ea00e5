"""A camera that streams: RTSP, a V4L2 device, or a video file shown at its own pace. A child process reads; this side picks the part's frame."""

import re
from collections.abc import AsyncGenerator, Mapping
from typing import Final

from edge.cameras.feed import Child, FrameFeed, Seen
from edge.ports import Pulse, Shot

_LOGIN: Final = re.compile(r"(?<=//)[^/?#]*@")
_SECRET: Final = re.compile(r"(?i)((?:pass\w*|pwd|token|secret|key)=)[^&/?#\s]*")


class StreamCamera:
    """The first frame that arrives `latency_s` after the pulse is the part's; with `each_frame`, every frame is a part.

    Args:
        source: `rtsp://…`, `/dev/videoN`, or a file's path; a password in it is not told.
        latency_s: from exposure to arrival.
        stall_s: without a frame for so long, the stream counts as lost and is opened anew.
        each_frame: pulses come from `frames` alone, and `capture` gives the pulse's own frame.
    """

    def __init__(
        self,
        source: str,
        *,
        latency_s: float = 0.0,
        stall_s: float = 2.0,
        open_s: float = 5.0,
        again: bool = False,
        each_frame: bool = False,
    ) -> None:
        self.name = told_name(source)
        self.latency_s, self._stall_s, self._open_s = latency_s, stall_s, open_s
        self._each_frame = each_frame
        told = {"source": source, "open_s": open_s, "read_s": stall_s, "again": again}
        child = Child(module="edge.cameras.reader", told=told, open_s=open_s, silence_s=stall_s)
        self._feed = FrameFeed(self.name, child, hide=source)

    def counts(self) -> Mapping[str, int]:
        """How often the stream was opened anew."""
        return {"reconnects": self._feed.reopened}

    async def open(self) -> None:
        """Wait until the stream is read.

        Raises:
            DeviceError: it cannot be; it is tried again in the background.
        """
        await self._feed.open(self._open_s)

    async def capture(self, pulse: Pulse) -> Shot:
        """The part's frame.

        Raises:
            DeviceError: none came in time, or the stream ended.
        """
        if self._each_frame:
            return self._feed.own(pulse.counter)
        wanted = pulse.at_s + self.latency_s
        return await self._feed.first(lambda seen: seen.at_s >= wanted, self._stall_s)

    def frames(self) -> AsyncGenerator[Seen, None]:
        """Every frame; raises DeviceError when the stream is lost."""
        return self._feed.frames()

    async def close(self) -> None:
        await self._feed.close()


def told_name(source: str) -> str:
    """A source as it may be told: without the user and the password.

    >>> told_name("rtsp://user:p@ss@10.0.0.2/line?password=x&channel=1")
    'rtsp://10.0.0.2/line?password=…&channel=1'
    """
    return _SECRET.sub(r"\1…", _LOGIN.sub("", source))
