"""What a camera's child process and its parent tell each other: lines of JSON on stdout and stdin.

What the child may say:

    {"width": 1280, "height": 720}      the camera delivers; the shared memory holds pictures of this size, uint8 RGB
    {"slot": 7, "id": 7, "device_ns": 280000000, "at_s": 12.5, "trigger": null, "why": ""}
                                        a frame; `at_s` is CLOCK_MONOTONIC when it was there, `trigger` what it answers;
                                        `slot` is null where there is no picture, and `why` says why
    {"counts": {...}}                   figures since the child began, now and then; shows that it lives, too
    {"error": "..."}, {"ended": true}   and the process ends

It knows neither cameras nor pictures.
"""

import json
import os
import select
import sys
import time
from typing import Any


def tell(what: dict[str, Any]) -> None:
    """Raises BrokenPipeError when the parent is gone."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def tell_frame(
    *,
    slot: int | None,
    frame_id: int | None,
    device_ns: int | None = None,
    trigger: int | None = None,
    why: str = "",
) -> None:
    """Tell of a frame that is there now, or why there is none."""
    tell(
        {
            "slot": slot,
            "id": frame_id,
            "device_ns": device_ns,
            "at_s": time.monotonic(),
            "trigger": trigger,
            "why": why,
        }
    )


class Told:
    """What the parent says, line by line, from a file descriptor."""

    def __init__(self, source: int) -> None:
        self._source, self._rest = source, b""

    def next(self, patience_s: float) -> Any:
        """The next line's value; none where none came in time.

        Raises:
            EOFError: the parent will say no more.
        """
        while b"\n" not in self._rest:
            if not select.select([self._source], [], [], patience_s)[0]:
                return None
            more = os.read(self._source, 65536)
            if not more:
                raise EOFError("the parent is gone")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)
