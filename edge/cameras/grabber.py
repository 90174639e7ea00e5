"""The child that grabs frames from a GenICam camera: pictures into shared memory, a line on stdout for each (`edge.cameras.telling`).

    python -m edge.cameras.grabber MEMORY SLOTS

What is wanted of the camera comes as a line of JSON on stdin; with a software trigger, a line for each part follows:
{"trigger": 7, "at_s": 12.5}. It is answered by exactly one frame, or by why there is none: see `Grabber.fire`.
"""

import signal
import sys
import time
from typing import Final

from edge.cameras.blocks import steps
from edge.cameras.genicam import GenicamCamera, Grabbed, Wanted
from edge.cameras.pixels import to_rgb
from edge.cameras.ring import RingWriter
from edge.cameras.telling import Told, tell, tell_frame
from vision.errors import LoupeError

_GLANCE_S: Final = 0.1
_REPORT_S: Final = 0.5
_QUIET_S: Final = 0.05  # without a frame for so long, a camera that was stopped has none on its way
_DRIFT: Final = 1e-3  # of a camera's clock


def main() -> None:
    """Grab until the parent is gone or something fails."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    told = Told(sys.stdin.fileno())
    try:
        given = told.next(_GLANCE_S * 100)
        _grab(Wanted(**given["wanted"]), told, timeout_s=given["timeout_s"], late_s=given["late_s"])
    except (BrokenPipeError, EOFError):
        pass
    except (LoupeError, OSError, ValueError) as error:
        tell({"error": str(error)})
        sys.exit(1)


def _grab(wanted: Wanted, told: Told, *, timeout_s: float, late_s: float) -> None:
    camera = GenicamCamera(wanted)
    try:
        ring = RingWriter(int(sys.argv[1]), int(sys.argv[2]), camera.size_wh)
        grabber = Grabber(camera, ring, timeout_s=timeout_s, late_s=late_s)
        tell({"width": camera.size_wh[0], "height": camera.size_wh[1]})
        while True:
            if wanted.trigger != "software":
                told.next(0)
                grabber.take(_GLANCE_S)
            elif (asked := told.next(_GLANCE_S)) is None:
                grabber.idle()
            else:
                grabber.fire(asked["trigger"], asked["at_s"])
            grabber.report()
    finally:
        camera.close()


class Grabber:
    """Frames of one camera, told of.

    Args:
        timeout_s: from a software trigger to its frame.
        late_s: a part whose trigger cannot be fired so soon after it was seen is not where it was any more.
    """

    def __init__(self, camera: GenicamCamera, ring: RingWriter, *, timeout_s: float, late_s: float) -> None:
        self._camera, self._ring = camera, ring
        self._timeout_s, self._late_s = timeout_s, late_s
        self._told_id = -1
        self._block_id: int | None = None  # of the last frame; none since the camera began anew
        self._last: tuple[int, float] | None = None  # the last frame's device time, and when it was there
        self._doubt = ""
        self._unasked = self._repeated = 0
        self._reported_s = time.monotonic()

    def fire(self, trigger: int, at_s: float) -> None:
        """Have the camera expose for a part, and tell of the frame that this gave.

        There is no picture when a frame came that nobody had asked for, when no frame came in time, or when the frame's id or device
        time do not fit: each makes it doubtful whose picture is whose, so the camera is stopped and begins anew for the next part.
        """
        self.idle()
        late_s = time.monotonic() - at_s
        if self._doubt:
            self._refuse(trigger, self._doubt)
        elif late_s > self._late_s:
            tell_frame(slot=None, frame_id=None, trigger=trigger, why=_late(late_s))
        else:
            self._camera.trigger()
            self._answer(trigger, fired_s=time.monotonic())

    def idle(self) -> None:
        """Look for frames that nobody asked for."""
        while (grabbed := self._camera.pop(0)) is not None:
            self._unasked += 1
            number = "" if grabbed.block_id is None else f" {grabbed.block_id}"
            self._doubt = f"the camera sent its frame{number} without a trigger"

    def take(self, patience_s: float) -> None:
        """Tell of the next frame of a camera that exposes by itself, if one comes in time."""
        grabbed = self._camera.pop(patience_s)
        if grabbed is None:
            return
        ahead = self._ahead(grabbed)
        if ahead <= 0:
            self._repeated += 1
            return
        self._tell(grabbed, ahead)

    def report(self) -> None:
        """Tell the figures, when it is time.

        Raises:
            DeviceError: the camera is lost.
        """
        if time.monotonic() < self._reported_s + _REPORT_S:
            return
        self._camera.look()
        self._reported_s = time.monotonic()
        tell({"counts": {**self._camera.counts(), "unasked": self._unasked, "repeated": self._repeated}})

    def _answer(self, trigger: int, *, fired_s: float) -> None:
        grabbed = self._awaited(fired_s + self._timeout_s)
        if grabbed is None:
            self._refuse(trigger, f"no frame within {self._timeout_s} s of its trigger")
            return
        ahead = self._ahead(grabbed)
        if ahead != 1:
            self._refuse(
                trigger, f"expected the next frame, found one {ahead} later: frame {grabbed.block_id}"
            )
        elif not grabbed.why and not self._exposed_since(fired_s, grabbed):
            self._refuse(trigger, f"frame {grabbed.block_id} was exposed before its trigger")
        else:
            self._tell(grabbed, 1, trigger)

    def _awaited(self, until_s: float) -> Grabbed | None:
        while (left_s := until_s - time.monotonic()) > 0:
            grabbed = self._camera.pop(min(left_s, _GLANCE_S))
            if grabbed is not None:
                return grabbed
        return None

    def _ahead(self, grabbed: Grabbed) -> int:
        """How many frames later than the last; the next, where that cannot be known."""
        if grabbed.block_id is None or self._block_id is None:
            return 1
        return steps(self._block_id, grabbed.block_id)

    def _exposed_since(self, fired_s: float, grabbed: Grabbed) -> bool:
        """By the camera's clock, from the last frame on; whose exposure was no later than its arrival."""
        if self._last is None:
            return True
        device_ns, there_s = self._last
        between_s = fired_s - there_s
        return 1e-9 * (grabbed.device_ns - device_ns) >= between_s - _DRIFT * abs(between_s)

    def _refuse(self, trigger: int, why: str) -> None:
        tell_frame(slot=None, frame_id=None, trigger=trigger, why=why)
        self._camera.restart(_QUIET_S)
        self._doubt, self._block_id, self._last = "", None, None

    def _tell(self, grabbed: Grabbed, ahead: int, trigger: int | None = None) -> None:
        there_s = time.monotonic()
        self._told_id += ahead
        if grabbed.block_id is not None:
            self._block_id = grabbed.block_id
        elif self._block_id is not None:
            self._block_id = self._block_id % 65535 + 1
        slot: int | None = None
        device_ns: int | None = None
        if not grabbed.why:
            slot = self._ring.put(to_rgb(grabbed.data, self._camera.pixel_format, self._camera.size_wh))
            device_ns = grabbed.device_ns
            self._last = (device_ns, there_s)
        tell_frame(slot=slot, frame_id=self._told_id, device_ns=device_ns, trigger=trigger, why=grabbed.why)


def _late(late_s: float) -> str:
    return f"asked for {1e3 * late_s:.0f} ms after the part was seen; not exposed, since it is elsewhere now"


if __name__ == "__main__":
    main()
