"""Which readings of a polled input are a part: the edge that was asked for, once its level has stood long enough. Pure."""

from typing import Literal

EdgeName = Literal["rising", "falling"]


class Edges:
    """Readings in the order of their moments, parts out.

    Args:
        stable_s: the level after the edge must be read for so long before it is a part; a shorter one is a bounce. So must the level
            before it, or the end of a part that bounces would be another one.
    """

    def __init__(self, edge: EdgeName, *, stable_s: float) -> None:
        self._active, self._stable_s = edge == "rising", stable_s
        self._stands: bool | None = None  # the level that was stable last; none before the first reading
        self._since_s: float | None = None  # when the other level was first read

    def read(self, at_s: float, *, level: bool) -> float | None:
        """When a part came, if this reading shows that one did: the first reading of its level.

        The first reading of all is no edge, whatever it is: what lay before the sensor then was there before.
        """
        if self._stands is None:
            self._stands = level
        if level == self._stands:
            self._since_s = None
            return None
        if self._since_s is None:
            self._since_s = at_s
        if at_s - self._since_s < self._stable_s:
            return None
        came, self._since_s, self._stands = self._since_s, None, level
        return came if level == self._active else None
