"""When to ask again: exponential backoff with full jitter, never beyond the deadline.

Takes how often a call has failed and what the server asked for, gives seconds to wait. It waits for nothing itself and
knows no gRPC. Full jitter: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from vision.errors import SettingsError

Clock = Callable[[], float]
Draw = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How the pauses between attempts grow.

    Attributes:
        first_s: the longest pause after the first failure; it doubles with each further one.
        longest_s: where it stops growing.
        draw: uniform over 0..1; each pause is that share of the longest one.
    """

    first_s: float = 0.1
    longest_s: float = 5.0
    draw: Draw = random.random

    def delay_s(self, failures: int, at_least_s: float | None = None) -> float:
        """The pause after so many failures (one or more), on top of what the server asked for."""
        doublings = min(failures - 1, 60)  # far beyond `longest_s`, and a float still holds it
        longest = min(self.longest_s, self.first_s * 2.0**doublings)
        return (at_least_s or 0.0) + self.draw() * longest


class Attempts:
    """One call's attempts within its deadline.

    Args:
        deadline_s: from now, for all attempts and pauses together.
        clock: monotonic seconds.

    Raises:
        SettingsError: the deadline is no positive, finite number of seconds.
    """

    def __init__(self, deadline_s: float, backoff: Backoff, *, clock: Clock = time.monotonic) -> None:
        self._backoff, self._clock = backoff, clock
        self._deadline = clock() + checked_deadline_s(deadline_s)
        self.failures = 0

    def left_s(self) -> float:
        """Seconds until the deadline; never negative."""
        return max(0.0, self._deadline - self._clock())

    def pause_s(self, *, transient: bool, at_least_s: float | None) -> float | None:
        """Count a failure; the seconds to wait before the next attempt, or nothing where that would be in vain or too late."""
        self.failures += 1
        if not transient:
            return None
        delay = self._backoff.delay_s(self.failures, at_least_s)
        return delay if delay < self.left_s() else None


def checked_deadline_s(deadline_s: float) -> float:
    """The deadline as it is.

    Raises:
        SettingsError: it is no positive, finite number of seconds.
    """
    if not (deadline_s > 0 and math.isfinite(deadline_s)):
        raise SettingsError(f"deadline_s: expected a positive, finite number of seconds, found {deadline_s}")
    return deadline_s
