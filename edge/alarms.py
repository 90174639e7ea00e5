"""Alarms that a person can follow: what is said again and again is said once a while, with how often it was.

Two alarms are the same when they differ in numbers alone, as frame ids and parts do.
"""

import re
import threading
import time
from collections.abc import Callable
from typing import Final

_NUMBER: Final = re.compile(r"\d+")
_KINDS: Final = 512  # that are remembered; texts that others write may differ for ever


class Calm:
    """Passes an alarm on, and then the same one at most every `every_s`. May be called from any thread.

    Args:
        alarm: told a station's name and what a person must look at.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        alarm: Callable[[str, str], None],
        *,
        every_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._alarm, self._every_s, self._clock = alarm, every_s, clock
        self._said: dict[tuple[str, str], tuple[float, int]] = {}  # when last, and how often since
        self._lock = threading.Lock()

    def __call__(self, station: str, what: str) -> None:
        key, now = (station, _NUMBER.sub("#", what)), self._clock()
        with self._lock:
            last, more = self._said.get(key, (-self._every_s, 0))
            if now - last < self._every_s:
                self._said[key] = (last, more + 1)
                return
            self._said.pop(key, None)  # so that the oldest comes first
            self._said[key] = (now, 0)
            if len(self._said) > _KINDS:
                del self._said[next(iter(self._said))]
        self._alarm(station, f"{what} ({more} more like it before)" if more else what)
