"""Frames that a child process delivers, seen from the parent: the child is watched, started again when it ends, and asked for frames.

It knows the ring and the lines (`ring`, `telling`), and nothing of cameras: what the child is, and what it is told, its owner says.
Frame ids and device times go on from one life of the child to the next. Nothing here waits longer than its caller allows.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from edge.cameras.ring import RingReader
from edge.ports import Shot
from vision.errors import DeviceError
from vision.image import Frame

_AGAIN_S: Final = (0.2, 5.0)  # after the child ended: the first pause, doubling up to the last
_GOOD_ORDER_S: Final = 1.0  # that a child is given to let go of its camera
_SPARE: Final = 2  # slots that the child may be writing while one is copied


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """What to start, and how long it may take.

    Attributes:
        module: run with the memory's descriptor and the number of slots as arguments.
        told: the first line on its stdin.
        open_s: until it delivers.
        silence_s: between two lines, once it delivers.
    """

    module: str
    told: Mapping[str, Any]
    open_s: float
    silence_s: float
    slots: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A frame that the child told of; without a picture where `why` says why."""

    slot: int | None
    frame_id: int | None
    device_ns: int | None
    at_s: float
    trigger: int | None
    why: str


class FrameFeed:
    """The frames of one camera.

    Args:
        name: what to call the camera in messages.
        hide: what the child may say and nobody should read, such as an address with a password; the name is said instead.
        on_counts: told the child's figures.
    """

    def __init__(
        self,
        name: str,
        child: Child,
        *,
        hide: str = "",
        on_counts: Callable[[Mapping[str, int]], None] = lambda _: None,
    ) -> None:
        self.name, self.reopened = name, 0
        self._child, self._hide, self._on_counts = child, hide, on_counts
        self._supervisor: asyncio.Task[None] | None = None
        self._stdin: asyncio.StreamWriter | None = None
        self._fresh = asyncio.Condition()
        self._seen: deque[Seen] = deque(maxlen=child.slots - _SPARE)
        self._ring: RingReader | None = None
        self._size_wh = (0, 0)
        self._ready = self._ended = False
        self._error = ""
        self._earlier = self._latest = (0, 0)  # the last frame id and device time: of earlier lives, of all
        self._offered: int | None = None

    async def open(self, patience_s: float) -> None:
        """Wait until the camera delivers.

        Raises:
            DeviceError: it does not; it is tried again in the background.
        """
        if self._supervisor is None:
            self._supervisor = asyncio.create_task(self._supervise(), name=f"camera {self.name}")
        if self._ended:
            return
        self._error = ""
        async with self._fresh:
            await self._wait(lambda: self._ready or self._error, patience_s)
        if not self._ready:
            raise DeviceError(f"{self.name}: {self._error}")

    async def first(self, wanted: Callable[[Seen], bool], patience_s: float) -> Shot:
        """The first frame that is wanted, among those that are there and those that come.

        Raises:
            DeviceError: it has no picture, none came in time, or the camera is lost.
        """

        def found() -> Seen | None:
            return next((one for one in self._seen if wanted(one)), None)

        async with self._fresh:
            await self._wait(lambda: found() or self._error, patience_s)
            seen = found()
            if seen is None:
                raise DeviceError(f"{self.name}: {self._error}")
            return self._shot(seen)

    def own(self, frame_id: int | None) -> Shot:
        """A frame that `frames` gave.

        Raises:
            DeviceError: it has no picture, or came so long ago that it is not kept any more.
        """
        seen = next((one for one in self._seen if one.frame_id == frame_id), None)
        if seen is None:
            raise DeviceError(f"{self.name}, frame {frame_id}: asked for too late; it is not kept any more")
        return self._shot(seen)

    async def frames(self) -> AsyncGenerator[Seen, None]:
        """Each frame with an id, once, from the first call on; ends where there will be no more.

        Raises:
            DeviceError: the camera is lost; another call goes on where this one ended.
        """
        if self._offered is None:
            self._offered = self._latest[0]
        while True:
            async with self._fresh:
                await self._fresh.wait_for(lambda: self._error or self._later())
                later = self._later()
            for seen in later:
                self._offered = seen.frame_id
                yield seen
            if not later and self._ended:
                return
            if not later:
                raise DeviceError(f"{self.name}: {self._error}")

    def _later(self) -> list[Seen]:
        """Frames that were not offered yet."""
        return [one for one in self._seen if (one.frame_id or 0) > (self._offered or 0)]

    def write(self, what: Mapping[str, Any]) -> None:
        """Tell the child something.

        Raises:
            DeviceError: there is none that listens.
        """
        if self._stdin is None or not self._ready:
            raise DeviceError(f"{self.name}: {self._error or 'not open'}")
        self._stdin.write(json.dumps(what).encode() + b"\n")

    async def close(self) -> None:
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervisor

    async def _wait(self, until: Callable[[], object], patience_s: float) -> None:
        try:
            async with asyncio.timeout(patience_s):
                await self._fresh.wait_for(until)
        except TimeoutError:
            raise DeviceError(f"{self.name}: no frame for {patience_s} s") from None

    def _shot(self, seen: Seen) -> Shot:
        name = f"{self.name}, frame {seen.frame_id}"
        if seen.slot is None or self._ring is None:
            raise DeviceError(f"{name if seen.frame_id is not None else self.name}: {seen.why}")
        pixels = self._ring.copy(seen.slot)
        if pixels is None:
            raise DeviceError(f"{name}: asked for too late; it is not kept any more")
        return Shot(
            image=Frame(image_hwc=pixels, size_wh=self._size_wh),
            frame_id=seen.frame_id,
            device_ns=seen.device_ns,
            name=name,
        )

    # --- the child's lives

    async def _supervise(self) -> None:
        pause = _AGAIN_S[0]
        while not self._ended:
            delivered = await self._live()
            pause = _AGAIN_S[0] if delivered else min(2 * pause, _AGAIN_S[1])
            if not self._ended:
                await asyncio.sleep(pause)
                self.reopened += 1

    async def _live(self) -> bool:
        """One life of the child; whether it delivered."""
        try:
            return await self._lived()
        except OSError as error:  # no memory, no process, no descriptor left
            await self._over(f"the camera's process cannot be started: {error.strerror or error}")
            return False

    async def _lived(self) -> bool:
        memory = os.memfd_create("frames")
        try:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._child.module,
                str(memory),
                str(self._child.slots),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                pass_fds=[memory],
            )
            try:
                return await self._listen(child, memory)
            finally:
                await _end(child)
        finally:
            os.close(memory)

    async def _listen(self, child: asyncio.subprocess.Process, memory: int) -> bool:
        assert child.stdin is not None  # noqa: S101  (both are pipes)
        assert child.stdout is not None  # noqa: S101
        self._stdin = child.stdin
        child.stdin.write(json.dumps(self._child.told).encode() + b"\n")
        error, delivered = "", False
        try:
            while not error and (line := await self._line(child.stdout)):
                async with self._fresh:
                    error = self._hear(json.loads(line), memory)
                    delivered = delivered or self._ready
                    self._fresh.notify_all()
            error = error or "the camera's process ended"
        except TimeoutError as late:
            error = str(late)
        finally:
            self._stdin = None
        await self._over(error)
        return delivered

    async def _over(self, error: str) -> None:
        async with self._fresh:
            self._ready, self._error, self._earlier = False, error, self._latest
            self._fresh.notify_all()

    def _hear(self, said: Mapping[str, Any], memory: int) -> str:
        """Take note of a line; what it says of the child's end, if it is that."""
        if "slot" in said:
            self._note(said)
        elif "counts" in said:
            self._on_counts(said["counts"])
        elif "width" in said:
            self._size_wh = (said["width"], said["height"])
            self._ring = RingReader(memory, self._child.slots, self._size_wh)
            self._seen.clear()
            self._ready, self._error = True, ""
        else:
            self._ended = "ended" in said
            error = str(said.get("error", "all frames were shown"))
            return error.replace(self._hide, self.name) if self._hide else error
        return ""

    def _note(self, said: Mapping[str, Any]) -> None:
        ids, times = self._earlier
        frame_id = None if said["id"] is None else ids + said["id"] + 1
        device_ns = None if said["device_ns"] is None else times + said["device_ns"] + 1
        self._latest = (frame_id or self._latest[0], device_ns or self._latest[1])
        self._seen.append(
            Seen(
                slot=said["slot"],
                frame_id=frame_id,
                device_ns=device_ns,
                at_s=said["at_s"],
                trigger=said["trigger"],
                why=said["why"],
            )
        )

    async def _line(self, stdout: asyncio.StreamReader) -> bytes:
        """The child's next line; none when it ended."""
        patience_s = self._child.silence_s if self._ready else self._child.open_s
        try:
            async with asyncio.timeout(patience_s):
                return await stdout.readline()
        except TimeoutError:
            raise TimeoutError(f"no frame for {patience_s} s") from None


async def _end(child: asyncio.subprocess.Process) -> None:
    """Have the child let go of its camera; kill it where it does not."""
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
    try:
        async with asyncio.timeout(_GOOD_ORDER_S):
            await child.wait()
    except TimeoutError:
        pass
    finally:  # also where this task is cancelled meanwhile
        if child.returncode is None:
            child.kill()
            await child.wait()
