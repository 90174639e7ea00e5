"""How far a belt has travelled, from readings of an encoder's register that wraps around. Pure."""

from bisect import bisect_left
from collections import deque
from typing import Final

_KEPT_S: Final = 2.0  # of readings; a trigger is known sooner than that after its part passed
_SPEED_S: Final = 0.05  # over which the speed is taken
_GAP_S: Final = 0.25  # between two readings; beyond it nobody can say where the belt was in between


class Travel:
    """Readings in the order of their moments; positions, which do not wrap around, out.

    Args:
        modulo: the register begins anew there.
        most: counts; a step beyond this between two readings is a leap: a register that was set anew, or a belt that ran on while nobody could
            read. Steps beyond half of `modulo` cannot be told from steps backwards, so these are leaps, too.
    """

    def __init__(self, modulo: int, *, most: int) -> None:
        self._modulo, self._most = modulo, min(most, modulo // 2 - 1)
        self._moments: deque[float] = deque()
        self._positions: deque[int] = deque()
        self._last: int | None = None

    @property
    def now(self) -> int:
        """The position at the last reading; 0 before the first."""
        return self._positions[-1] if self._positions else 0

    def read(self, at_s: float, count: int) -> int | None:
        """Take a reading. A leap's size, if it was one; nothing is known of the time before it then."""
        half = self._modulo // 2
        step = 0 if self._last is None else (count - self._last + half) % self._modulo - half
        leapt = abs(step) > self._most
        if leapt:
            self._moments.clear()
            self._positions.clear()
        position = self.now + step
        self._last = count
        self._moments.append(at_s)
        self._positions.append(position)
        while self._moments[0] < at_s - _KEPT_S and len(self._moments) > 2:
            self._moments.popleft()
            self._positions.popleft()
        return step if leapt else None

    def at(self, moment_s: float) -> float | None:
        """The position at a moment between two readings; none where there are no two, or they are too far apart. After the last: as it is there."""
        after = bisect_left(self._moments, moment_s)
        if after == len(self._moments):
            return float(self.now) if self._positions else None
        if after == 0:
            return float(self._positions[0]) if self._moments[0] == moment_s else None
        (t0, t1) = self._moments[after - 1], self._moments[after]
        (p0, p1) = self._positions[after - 1], self._positions[after]
        if t1 - t0 > _GAP_S:
            return None
        return p0 + (p1 - p0) * (moment_s - t0) / (t1 - t0)

    def when(self, position: float) -> float:
        """When the belt passed a position since the last reading but one, or will pass it as it runs now; infinity while it does not run towards it."""
        if self.now >= position:
            return self._passed(position)
        speed = self._speed()
        return self._moments[-1] + (position - self.now) / speed if speed > 0 else float("inf")

    def _passed(self, position: float) -> float:
        if len(self._moments) < 2 or self._positions[-2] >= position:
            return self._moments[-1]
        before, now = self._positions[-2], self._positions[-1]
        if self._moments[-1] - self._moments[-2] > _GAP_S:
            return self._moments[-2]  # too early rather than too late: what may have missed its part is late
        share = (position - before) / (now - before)
        return self._moments[-2] + share * (self._moments[-1] - self._moments[-2])

    def _speed(self) -> float:
        """Counts a second over the last readings; 0 where there was one only."""
        first = bisect_left(self._moments, self._moments[-1] - _SPEED_S)
        first = min(first, max(len(self._moments) - 2, 0))
        seconds = self._moments[-1] - self._moments[first]
        return (self._positions[-1] - self._positions[first]) / seconds if seconds > 0 else 0.0
