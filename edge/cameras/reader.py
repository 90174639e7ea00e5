"""The child that reads a stream: decoded frames into shared memory, one line of JSON on stdout for each.

The one file that knows PyAV (extra `rtsp`). Reads and opens of a camera can hang for ever, so they happen in a process that can be killed.
What is to be read comes as a line of JSON on stdin, so that no password stands in the list of processes; the memory's file descriptor and its number of slots stand on the command line.

    {"width": 1280, "height": 720}                      the stream is open; each slot holds one frame of uint8 RGB
    {"frame": 7, "device_ns": 280000000, "at_s": ...}   frame 7 lies in slot 7 modulo their number; `at_s` is CLOCK_MONOTONIC when it was decoded
    {"error": "..."} or {"ended": true}                 and the process ends
"""

import json
import mmap
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

import av
import numpy as np

_LIVE: Final = ("rtsp://", "rtsps://", "http://", "https://", "/dev/")


def main() -> None:
    """Read until the stream ends, the parent is gone, or something fails."""
    given = json.loads(sys.stdin.readline())
    try:
        frames = _frames(given["source"], given["open_s"], given["read_s"], again=given["again"])
        fill(int(sys.argv[1]), int(sys.argv[2]), frames)
        _say({"ended": True})
    except BrokenPipeError:
        pass
    except (OSError, ValueError, IndexError) as error:  # PyAV's own errors are OSErrors or ValueErrors
        _say({"error": f"{type(error).__name__}: {error}"})
        sys.exit(1)


def fill(memory: int, slots: int, frames: Iterator[tuple[Any, int]]) -> None:
    """Decode frames into the memory's slots in turn, and tell of each."""
    mapped: mmap.mmap | None = None
    for number, (frame, device_ns) in enumerate(frames):
        pixels = frame.to_ndarray(format="rgb24")
        if mapped is None:
            os.ftruncate(memory, slots * pixels.nbytes)
            mapped = mmap.mmap(memory, slots * pixels.nbytes)
            _say({"width": pixels.shape[1], "height": pixels.shape[0]})
        if slots * pixels.nbytes != len(mapped):
            raise ValueError(f"the picture's size changed to {pixels.shape[1]}x{pixels.shape[0]}")
        place = np.frombuffer(mapped, np.uint8, pixels.nbytes, (number % slots) * pixels.nbytes)
        place[:] = pixels.reshape(-1)
        _say({"frame": number, "device_ns": device_ns, "at_s": time.monotonic()})


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


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
