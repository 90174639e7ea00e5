"""A camera that streams: RTSP, a V4L2 device, or a video file shown at its own pace. A child process reads; this side picks the part's frame.

The child is started again whenever it ends, whether or not parts come. Nothing here waits longer than its caller allows.
"""

import asyncio
import contextlib
import json
import mmap
import os
import re
import sys
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge.ports import Pulse, Shot
from vision.errors import DeviceError
from vision.image import Frame

_AGAIN_S: Final = (0.2, 5.0)  # after the child ended: the first pause, doubling up to the last
_SLOTS: Final = 8
_SPARE: Final = 2  # slots that the child may be writing while one is copied


@dataclass(frozen=True, slots=True)
class _Seen:
    number: int  # in this life of the child
    frame_id: int
    device_ns: int
    at_s: float


class StreamCamera:
    """The first frame that arrives `latency_s` after the pulse is the part's.

    Args:
        source: `rtsp://…`, `/dev/videoN`, or a file's path; a password in it is not told.
        latency_s: from exposure to arrival.
        stall_s: without a frame for so long, the stream counts as lost and is opened anew.
    """

    def __init__(
        self,
        source: str,
        *,
        latency_s: float = 0.0,
        stall_s: float = 2.0,
        open_s: float = 5.0,
        again: bool = False,
    ) -> None:
        self._source, self._latency_s, self._again = source, latency_s, again
        self._stall_s, self._open_s = stall_s, open_s
        self.name = re.sub(r"//[^/@]*@", "//", source)
        self._supervisor: asyncio.Task[None] | None = None
        self._fresh = asyncio.Condition()
        self._seen: deque[_Seen] = deque(maxlen=_SLOTS - _SPARE)
        self._slots: mmap.mmap | None = None
        self._size_wh = (0, 0)
        self._error = ""
        self._ended = False
        self._earlier = (0, 0)  # the last frame id and device time of the child's earlier lives
        self.reopened = 0

    async def open(self) -> None:
        """Wait for the first frame.

        Raises:
            DeviceError: there is none; it is tried again in the background.
        """
        if self._supervisor is None:
            self._supervisor = asyncio.create_task(self._supervise(), name=f"camera {self.name}")
        self._error = ""
        async with self._fresh:
            try:
                async with asyncio.timeout(self._open_s):
                    await self._fresh.wait_for(lambda: self._seen or self._error)
            except TimeoutError:
                raise DeviceError(f"{self.name}: no frame within {self._open_s} s") from None
        if not self._seen:
            raise DeviceError(f"{self.name}: {self._error}")

    async def capture(self, pulse: Pulse) -> Shot:
        """The part's frame.

        Raises:
            DeviceError: none came in time, or the stream ended.
        """
        wanted = pulse.at_s + self._latency_s
        async with self._fresh:
            try:
                async with asyncio.timeout(self._stall_s):
                    await self._fresh.wait_for(
                        lambda: self._error or (self._seen and self._seen[-1].at_s >= wanted)
                    )
            except TimeoutError:
                raise DeviceError(f"{self.name}: no frame for {self._stall_s} s") from None
            if self._error:
                raise DeviceError(f"{self.name}: {self._error}")
            seen = next(one for one in self._seen if one.at_s >= wanted)
            return self._shot(seen)

    async def close(self) -> None:
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervisor

    def _shot(self, seen: _Seen) -> Shot:
        """A copy of a slot; the child writes at least `_SPARE` frames before it comes to this one again."""
        width, height = self._size_wh
        count = width * height * 3
        assert self._slots is not None  # noqa: S101  (frames are only told of once the memory is there)
        place = np.frombuffer(self._slots, np.uint8, count, (seen.number % _SLOTS) * count)
        pixels = place.reshape(height, width, 3).copy()
        return Shot(
            image=Frame(image_hwc=pixels, size_wh=self._size_wh),
            frame_id=seen.frame_id,
            device_ns=seen.device_ns,
            name=f"{self.name}, frame {seen.frame_id}",
        )

    async def _supervise(self) -> None:
        pause = _AGAIN_S[0]
        while not self._ended:
            frames = await self._watch()
            pause = _AGAIN_S[0] if frames else min(2 * pause, _AGAIN_S[1])
            await asyncio.sleep(pause)
            self.reopened += 1

    async def _watch(self) -> int:
        """One life of the child; how many frames it brought."""
        memory = os.memfd_create("frames")
        try:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "edge.cameras.reader",
                str(memory),
                str(_SLOTS),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                pass_fds=[memory],
            )
            try:
                return await self._listen(child, memory)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        finally:
            os.close(memory)

    async def _listen(self, child: asyncio.subprocess.Process, memory: int) -> int:
        assert child.stdin is not None  # noqa: S101  (both are pipes)
        assert child.stdout is not None  # noqa: S101
        told = {"source": self._source, "open_s": self._open_s, "read_s": self._stall_s, "again": self._again}
        child.stdin.write(json.dumps(told).encode() + b"\n")
        frames = 0
        while line := await self._line(child.stdout, self._stall_s if frames else self._open_s):
            said = json.loads(line)
            async with self._fresh:
                if "width" in said:
                    self._size_wh = (said["width"], said["height"])
                    self._slots = mmap.mmap(memory, 0, prot=mmap.PROT_READ)
                    self._seen.clear()
                elif "frame" in said:
                    frames += 1
                    self._error = ""
                    ids, times = self._earlier
                    number = said["frame"]
                    self._seen.append(
                        _Seen(number, ids + number + 1, times + said["device_ns"] + 1, said["at_s"])
                    )
                else:
                    self._ended = "ended" in said
                    self._error = said.get("error", "all frames were shown").replace(self._source, self.name)
                self._fresh.notify_all()
        async with self._fresh:
            if self._seen:
                self._earlier = (self._seen[-1].frame_id, self._seen[-1].device_ns)
            self._error = self._error or "the stream ended"
            self._seen.clear()
            self._fresh.notify_all()
        return frames

    async def _line(self, stdout: asyncio.StreamReader, patience_s: float) -> bytes:
        """The child's next line; none when it ended, or said nothing for so long."""
        try:
            async with asyncio.timeout(patience_s):
                return await stdout.readline()
        except TimeoutError:
            self._error = f"no frame for {patience_s} s"
            return b""
