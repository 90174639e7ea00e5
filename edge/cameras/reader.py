"""The child that reads a stream: decoded frames into shared memory, one line on stdout for each (`edge.cameras.telling`).

The one file that knows PyAV (extra `rtsp`). Reads and opens of a camera can hang for ever, so they happen in a process that can be killed.
What is to be read comes as a line of JSON on stdin, so that no password stands in the list of processes; the memory's file descriptor and
its number of slots stand on the command line.
"""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

import av

from edge.cameras.ring import RingWriter
from edge.cameras.telling import tell, tell_frame

_LIVE: Final = ("rtsp://", "rtsps://", "http://", "https://", "/dev/")


def main() -> None:
    """Read until the stream ends, the parent is gone, or something fails."""
    given = json.loads(sys.stdin.readline())
    try:
        frames = _frames(given["source"], given["open_s"], given["read_s"], again=given["again"])
        _pass_on(frames, int(sys.argv[1]), int(sys.argv[2]))
        tell({"ended": True})
    except BrokenPipeError:
        pass
    except (av.error.FFmpegError, OSError, ValueError, IndexError) as error:
        tell({"error": f"{type(error).__name__}: {error}"})
        sys.exit(1)


def _pass_on(frames: Iterator[tuple[Any, int]], memory: int, slots: int) -> None:
    """Decode frames into the memory's slots in turn, and tell of each."""
    ring: RingWriter | None = None
    for frame, device_ns in frames:
        pixels = frame.to_ndarray(format="rgb24")
        if ring is None:
            height, width = pixels.shape[:2]
            ring = RingWriter(memory, slots, (width, height))
            tell({"width": width, "height": height})
        number = ring.put(pixels)
        tell_frame(slot=number, frame_id=number, device_ns=device_ns)


def _frames(source: str, open_s: float, read_s: float, *, again: bool) -> Iterator[tuple[Any, int]]:
    """Frames and the stream's own time in nanoseconds; a file is shown at its own pace, `again` and again where that is asked for."""
    live = source.startswith(_LIVE)
    options = {"rtsp_transport": "tcp", "fflags": "nobuffer"} if source.startswith("rtsp") else {}
    kind = "v4l2" if source.startswith("/dev/") else None
    shown_ns = 0
    while True:
        last_ns = 0
        with av.open(source, format=kind, options=options, timeout=(open_s, read_s)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "SLICE"  # threads by frame would hold frames back
            started = time.monotonic()
            for frame in container.decode(stream):
                last_ns = int(1e9 * frame.time) if frame.pts is not None else last_ns + 1
                if not live:
                    time.sleep(max(0.0, started + 1e-9 * last_ns - time.monotonic()))
                yield frame, shown_ns + last_ns
        if live:
            raise OSError("the stream ended")
        if not again:
            return
        shown_ns += last_ns + 1


if __name__ == "__main__":
    main()
